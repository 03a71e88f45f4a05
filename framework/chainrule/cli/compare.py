"""``chainrule compare``: is one choice better than another? It is short for a sweep by ``hydra/sweeper=compare``."""

import argparse
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.cli.common import load_plugins, parser
from chainrule.config import application, compose
from chainrule.errors import ConfigurationError
from chainrule.sweep.jobs.contenders import METRICS
from chainrule.sweep.jobs.options import comparison_overrides

_SWEEPER = "hydra/sweeper=compare"
_OPTIONS = ("budget", "tuning_seeds", "tunings", "seeds", "metric", "max_runs", "max_minutes", "random_seed")


def main(words: Sequence[str]) -> None:
    """Compare the choices of one group, such as activation=tanh,relu,mine: is one better than another?"""
    arguments = sweep_arguments(words)
    load_plugins(arguments)
    application.run(arguments)


def sweep_arguments(typed: Sequence[str]) -> list[str]:
    """Return the command line of the sweep that makes the comparison.

    Raises:
        ConfigurationError: a word is not an override.
    """
    is_asked = any(word.startswith(("-h", "--help")) for word in typed)
    # Only the help shows the defaults, and composing them takes as long as composing the sweep.
    defaults = compose.sweeper("compare") if is_asked else defaultdict(dict)
    given = _parser(defaults).parse_intermixed_args(typed)
    for text in given.overrides:
        if "=" not in text:
            raise ConfigurationError(f"{text} is neither KEY=A,B nor KEY=VALUE; see chainrule compare --help.")
    options = {name: getattr(given, name) for name in _OPTIONS}
    options |= {name: getattr(given, name) or None for name in ("contenders", "ablate")}
    options |= {"space": dict(map(_entry, given.space))}
    options |= {name: getattr(given, name) or None for name in ("until_decided", "dry_run")}
    for name in ("max_runs", "max_minutes"):
        if getattr(given, name) is not None and not given.until_decided:
            raise ConfigurationError(f"--{name.replace('_', '-')} needs --until-decided, which it limits.")
    return ["-m", _SWEEPER, *comparison_overrides(given.overrides, given.targets, options)]


def _parser(defaults: Mapping[str, Any]) -> argparse.ArgumentParser:
    command = parser(
        "compare",
        usage="chainrule compare KEY=A,B[,...] [KEY=VALUE ...] [options]",
        description="Is one better than another? Each value of KEY (activation, optimizer, initializer, schedule, "
        "rule, network.hidden, training.batch_size ...), or each setting that --contender names, is tuned on each "
        "target, several times: the same points of the same space are tried with the same seeds, and the smallest "
        "median final validation loss decides. The best point of each tuning is then run with fresh seeds. These runs "
        "are compared; those that diverge or fail count as the worst. The answer, with intervals that count the luck "
        "of tuning, is printed and written into a report.",
        epilog="KEY=VALUE holds for all contenders. Defaults, unless typed or set by experiment=NAME: "
        f"{_listing(defaults['params'])}; for two classes {_listing(defaults['two_classes'])}; for more "
        f"classes {_listing(defaults['classes'])}. hydra.KEY=VALUE works as in any sweep, and `chainrule resume DIR` "
        "finishes a comparison that broke off.",
    )
    command.add_argument("overrides", nargs="*", metavar="KEY=A,B", help="the contenders, and values for all of them")
    command.add_argument(
        "--contender",
        action="append",
        default=[],
        dest="contenders",
        metavar="'NAME: KEY=VALUE ...'",
        help="a contender with a name and settings of its own; given once for each of them",
    )
    command.add_argument(
        "--ablate",
        action="append",
        default=[],
        metavar="'KEY=VALUE ...'",
        help="an addition, such as optimizer=adam; given once for each: no addition, each alone, all but each, and all "
        "are compared",
    )
    command.add_argument(
        "--targets", metavar="A,B", help=f"functions and data sets to compare on ({', '.join(defaults['targets'])})"
    )
    numbers = {
        "budget": "points of the space that one tuning tries",
        "tuning_seeds": "number of seeds that try each point",
        "tunings": "independent tunings of each contender on each target, with other points and seeds each; with 1, "
        "the answer is about the points that it found; with --until-decided, those of the first rounds",
        "seeds": "fresh seeds with which the best point of each tuning is run",
        "random_seed": "decides the points and all seeds; another number repeats the comparison with others",
    }
    for name, text in numbers.items():
        option = f"--{name.replace('_', '-')}"
        usual = "6, or 2 with --until-decided" if name == "tunings" else defaults[name]
        command.add_argument(option, type=int, metavar="N", help=f"{text} ({usual})")
    command.add_argument(
        "--metric",
        choices=METRICS,
        help="what is compared at the end of a run: the loss, which also tunes (default), or accuracy, r2, or the "
        "score that fits each target: then losses can be compared, too",
    )
    command.add_argument(
        "--until-decided",
        action="store_true",
        help="go on in rounds until each pair of contenders is decided: better, worse or equivalent (each wins 45 to "
        "55 %% of runs); contenders that are decided leave; the answer may be read at any time",
    )
    command.add_argument(
        "--max-runs", type=int, metavar="N", help=f"end undecided rather than exceed them ({defaults['max_runs']})"
    )
    command.add_argument("--max-minutes", type=float, metavar="M", help="likewise (no limit)")
    command.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="KEY=VALUES",
        help="a further key to tune, or other bounds of one: a list, interval(a,b) or tag(log,interval(a,b)); may be "
        f"given several times; a contender is tuned in the keys that it has ({_listing(defaults['space'])}); "
        "an override KEY=VALUE fixes a key instead",
    )
    command.add_argument("--dry-run", action="store_true", help="list the runs, train nothing")
    return command


def _entry(text: str) -> tuple[str, str]:
    """Return key and values of an entry of the space."""
    key, equals, values = text.partition("=")
    if not equals or not re.fullmatch(r"[\w./@-]+", key) or not values:
        raise ConfigurationError(f"--space {text} is not KEY=VALUES, such as optimizer.lr=tag(log,interval(1e-4,1)).")
    return key, values


def _listing(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())
