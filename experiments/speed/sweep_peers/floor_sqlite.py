"""What SQLite itself takes for the rows of a sweep: ``python floor_sqlite.py SOURCE TARGET`` prints seconds.

The rows of all runs of chainrule in SOURCE go into TARGET, an empty database of MLflow. Reading them is not counted.
"""

import sqlite3
import sys
import time
from contextlib import closing

TABLES = ("runs", "params", "tags", "metrics", "latest_metrics")
TOGETHER = 64  # runs in a transaction


def main() -> None:
    source, target = sys.argv[1:]
    with closing(sqlite3.connect(source)) as database:
        runs = [run for (run,) in database.execute("SELECT run_uuid FROM tags WHERE key = 'chainrule.key'")]
        groups = [runs[i : i + TOGETHER] for i in range(0, len(runs), TOGETHER)]
        batches = [[(table, rows(database, table, group)) for table in TABLES] for group in groups]
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        begin = time.perf_counter()
        for batch in batches:
            database.execute("BEGIN")
            for table, values in batch:
                places = ", ".join("?" * len(values[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({places})", values)
            database.execute("COMMIT")
        print(time.perf_counter() - begin)


def rows(database: sqlite3.Connection, table: str, runs: list[str]) -> list[tuple[object, ...]]:
    places = ", ".join("?" * len(runs))
    return database.execute(f"SELECT * FROM {table} WHERE run_uuid IN ({places})", runs).fetchall()


if __name__ == "__main__":
    main()
