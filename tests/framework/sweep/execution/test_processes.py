"""Processes that train units: what is left when one of them is killed, and when the one that started them is."""

from pathlib import Path

from chainrule.records.sweep import read_sweep
from sweeping import LONG, PLACE, command, contents, hold, started, wait_for


def test_the_runs_of_a_killed_sweep_are_left_to_its_resumption(plugin):
    """Where only the process that was started is killed, those that it has started end, too."""
    hold(plugin)
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    process = started(*arguments, path=plugin)
    wait_for(lambda: len(list(Path("sweep").glob("*/.hydra"))) == 2)
    process.kill()
    Path("hold").unlink()
    resumed = started("resume", "sweep", path=plugin)
    process.communicate(timeout=120)  # as long as anybody can write to its output
    assert resumed.communicate()[1] == ""
    found = contents("sweep")
    Path("sweep").rename("resumed")
    command(*arguments, path=plugin)
    assert contents("sweep") == found


def test_where_a_process_that_trains_is_killed_the_sweep_can_be_resumed(plugin):
    hold(plugin, "os.kill(os.getpid(), signal.SIGKILL)")
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    done = command(*arguments, code=1, path=plugin)
    assert done.stderr == (
        "chainrule: A process that trained runs was killed, perhaps because memory ran out (hydra.launcher.workers=1 "
        f"needs the least). `chainrule resume {Path('sweep').absolute()}` goes on.\n"
    )
    Path("hold").unlink()
    command("resume", "sweep", path=plugin)
    assert len(list(read_sweep(Path("sweep")).outcomes())) == 4
