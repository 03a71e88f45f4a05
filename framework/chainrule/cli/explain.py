"""``chainrule explain``: any step of a run, in the article's notation, with its own numbers."""

import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import load_plugins, parser
from chainrule.config.compose import compose_settings
from chainrule.errors import ChainruleError, counted
from chainrule.records.run import read_record
from chainrule.records.sweep import SWEEP
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import is_preference
from chainrule.replay.explanation import explain, number_of, require_sample
from chainrule.replay.replays import Replay


def main(arguments: Sequence[str]) -> None:
    """Show a step of training in the article's notation, with the numbers of the run.

    A recorded run is trained again, and must end in the recorded bits; else it is said from which step and in which
    tensor it differs, and what has changed since. Every derivative is checked against central differences. Where the
    rule of the run replaces eq. 5 or 6, what it says is shown beside what is exact. Without RUN it is the run that
    `chainrule` trains, with the settings that are typed.

    Args:
        arguments: directory of the run or the sweep, or overrides; ``--step``, ``--epoch``, ``--sample``, ``--html``,
            ``--overwrite``.

    Raises:
        ChainruleError: there is no such run or step, it cannot be trained again, or the page is there already.
    """
    command = parser("explain", (main.__doc__ or "").split("Args:")[0])
    command.add_argument(
        "words", nargs="*", metavar="RUN | KEY=VALUE",
        help="directory of a run, or of a sweep for its best run; or settings of a run that is trained now",
    )  # fmt: skip
    which = command.add_mutually_exclusive_group()
    which.add_argument("--step", type=int, metavar="N", help="which step, from 1; -1 is the last (default: the first)")
    which.add_argument("--epoch", type=int, metavar="K", help="the first step after K epochs")
    command.add_argument("--sample", type=int, default=1, metavar="I", help="which sample of the step, from 1")
    command.add_argument("--html", type=Path, metavar="FILE", help="write one page with many steps to FILE instead")
    command.add_argument("--overwrite", action="store_true", help="replace the page that is there")
    given = command.parse_intermixed_args([word for word in arguments if not is_preference(word)])
    if given.html and given.html.exists() and not given.overwrite:
        raise ChainruleError(f"{given.html} exists already; name another file, or write --overwrite.")
    load_plugins(list(arguments))
    replay = _replay(given.words)
    number = number_of(replay, given.step, given.epoch)
    require_sample(replay, number, given.sample)
    if given.html:
        from chainrule.replay.page import write_page  # here, because the terminal does without it

        explanation = write_page(replay, number, given.sample - 1, given.html)
        print(explanation.verdict)
        print(f"{len(explanation.steps)} of {counted(replay.steps, 'step')}: {given.html}")
        return
    from chainrule.replay.terminal import console_for, show

    show(explain(replay, [number], given.sample - 1), console_for(sys.stdout.encoding))


def _replay(words: Sequence[str]) -> Replay:
    """Return the run that the words name: a recorded one, the best of a sweep, or one that is trained now."""
    if not words or all("=" in word and not Path(word).exists() for word in words):
        return Replay(compose_settings(words))
    if len(words) > 1:
        raise ChainruleError(f"{' '.join(words)}: name one run, or the settings of one as KEY=VALUE.")
    directory = Path(words[0])
    if (directory / SWEEP).is_file():
        from chainrule.notebook.swept import SweepResult  # here, because a run needs it not

        best = SweepResult.read(directory).best
        assert best.record is not None
        print(f"the best run: {best.record.directory}", file=sys.stderr)
        return Replay.of_record(best.record, installed())
    return Replay.of_record(read_record(directory), installed())
