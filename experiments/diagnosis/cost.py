"""What do instruments cost on a replay?  ``python experiments/diagnosis/cost.py``.

A run is trained again without and with all instruments on it, in turn. The ratio of the times is printed beside the
share of counted work that they may take.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import chainrule
from chainrule.registry.loaded import installed
from chainrule.replay.instrumented import examine, instruments, of_settings
from chainrule.replay.replays import Replay, together

RUNS = {
    "the article's run": ["experiment=article"],
    "the article's run by NumPy": ["experiment=article", "training.engine=numpy"],
    "the default run": [],
    "the default run that fails": ["optimizer.lr=1e-6"],
    "the default run by NumPy": ["training.engine=numpy"],
    "mini-batches of 16": ["training.batch_size=16", "training.epochs=1000"],
    "full batches": ["training.batch_size=null", "training.epochs=5000"],
    "friedman1, 10-32-32-1": ["target=friedman1", "network.hidden=[32,32]", "training.batch_size=32",
                              "data.samples=1000", "optimizer.lr=0.01"],
    "digits 64-32-10": ["target=digits", "network.hidden=[32]", "training.batch_size=32", "optimizer.lr=0.05",
                        "training.epochs=50"],
    "digits 64-32-10 that fails": ["target=digits", "network.hidden=[32]", "training.batch_size=32",
                                   "optimizer.lr=1e-5", "training.epochs=50"],
}  # fmt: skip


def seconds(action: Callable[[], object]) -> float:
    """Return the processor time that something takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--turns", type=int, default=7, help="of which the median counts")
    turns = command.parse_args().turns
    chosen = instruments(installed())
    print("| run | steps | points | s without | s with | ratio |\n| --- | --- | --- | --- | --- | --- |")
    for name, words in RUNS.items():
        replay = of_settings(chainrule.settings(*words, "tracking=none"))
        (one,) = examine([replay], chosen)

        def trained(run: Replay = replay) -> None:
            together([Replay(run.settings, run.original)])  # another one each time, as a record is read once

        def looked_at(run: Replay = replay) -> None:
            examine([Replay(run.settings, run.original)], chosen)

        pairs = [(seconds(trained), seconds(looked_at)) for _ in range(turns)]
        without, within = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratio = statistics.median(after / before for before, after in pairs)
        points = replay.work.points(replay.work.looking, 40)
        print(f"| {name} | {replay.steps} | {points} | {without:.3f} | {within:.3f} | {ratio:.2f} |")
        assert one.ended.difference is None


if __name__ == "__main__":
    main()
