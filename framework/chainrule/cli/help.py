"""The text of ``chainrule --help``.

Hydra's own help copies its whole store of options once per group, which takes longer than everything else at start.
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.components.contracts import Component
from chainrule.components.parameters import Parameter, parameters, plain
from chainrule.config.settings import PICTURES, TRACKING, keys
from chainrule.records.settings import Settings, component_config, flat, shown
from chainrule.registry.kinds import GROUPS
from chainrule.registry.preferences import SECTION
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Tracker

_USAGE = """\
chainrule trains a network by backpropagation and records what happened.

Usage: chainrule [FLAG ...] [GROUP=NAME ...] [KEY=VALUE ...]

  chainrule                                      the article's run: 2-2-2-1, learning 2 x1 + 3 x2 + 10
  chainrule optimizer=adam optimizer.lr=0.01     another optimizer, at another rate
  chainrule -m seed=0,1,2 activation=tanh,relu   every combination, as stacks; ranked over seeds
  chainrule -m ... hydra.sweeper.dry_run=true    only list its jobs and stacks
  chainrule compare activation=tanh,relu         which is better on several targets, each tuned alike
  chainrule data FILE                            how a table would be read, and the command that trains on it
  chainrule why RUN                              what kept a run, or the runs of a sweep, from learning, with proof
  chainrule explain RUN --step N                 any step of a run in the article's notation, every derivative checked
  chainrule predict RUN FILE --out FILE          what a recorded run predicts for the rows of a table
  chainrule verify DIR                           train what is recorded again: the same bits, or what differs and why
  chainrule export DIR paper.zip                 all that others need to train it again
  chainrule export-onnx RUN FILE.onnx            the trained network, for programs that read ONNX
  chainrule resume DIR                           finish a sweep that broke off
  chainrule delete DIR                           remove a run or a sweep, from the tracker, too
  chainrule doctor DIR                           what is wrong with records, the environment and the tracker's store
  chainrule report DIR                           write the report of a sweep again
  chainrule report mlflow:EXPERIMENT             rank the runs of any MLflow experiment
  chainrule experiment=article                   a prepared configuration
  chainrule optimizer=adam --help                this text, with the parameters of adam
  chainrule sync DIR                             send records to the tracker later
  chainrule ui [DIR]                             runs in MLflow's pages, opened at a run or a sweep
  chainrule plugins                              list plugins and parameters, and what is broken or blocked
  chainrule check                                check the gradients, bits and ranges of installed plugins
  chainrule new-plugin NAME                      write a package for a component of your own
  chainrule ... --overwrite                      replace the record in the directory of the run or the sweep
  chainrule --version                            the version installed
  chainrule --cfg job                            show the configuration and train nothing
  chainrule --hydra-help                         the other flags: config directories, completion ..."""


def text(
    settings: Settings, tracker: Tracker, pictures: Iterable[str], registry: Registry, experiments: Iterable[str]
) -> str:
    """Return the help, with the values that ``settings`` has.

    Args:
        settings: those that the command line describes.
        tracker: the one that the command line chooses.
        pictures: those that it wants of a single run.
        registry: its components are listed.
        experiments: names of the prepared configurations.
    """
    chosen = {key: one for group in GROUPS if group != TRACKING for key, one in settings.by_key(group).items()}
    components = {**chosen, TRACKING: tracker}
    config = {
        **settings.to_config(),
        "training": plain(settings.training),  # with what a record does not hold
        PICTURES: list(pictures),
        TRACKING: component_config(tracker),
        SECTION: plain(registry.preferences),
    }
    values = flat(config)
    groups = [f"  {group:<12} {', '.join(registry.names(kind.name))}" for group, kind in GROUPS.items()]
    groups.append(f"  {'experiment':<12} {', '.join(experiments)}")
    parts = [
        _USAGE,
        "Groups, chosen by GROUP=NAME",
        "\n".join(groups),
        "Keys, changed by KEY=VALUE",
        _rows(keys(), values),
    ]
    parts.append("Parameters of the components chosen here, changed by KEY=VALUE")
    parts += [_component(key, component, values) for key, component in components.items()]
    return "\n\n".join(parts)


def summary(component: type[Component]) -> str:
    """Return the first paragraph of a component's documentation, on one line."""
    return (inspect.getdoc(component) or "").split("\n\n")[0].replace("\n", " ").replace("``", "")


def _component(key: str, component: Component, values: Mapping[str, Any]) -> str:
    """Return the first sentence about a component, and its parameters; ``key`` is where the configuration holds it."""
    group = key.partition(".")[0]
    choice = group if GROUPS[group].many else key
    own = {f"{key}.{name}": parameter for name, parameter in parameters(type(component)).items()}
    return "\n".join(filter(None, [f"  {choice}={component.name}: {summary(type(component))}", _rows(own, values)]))


def _rows(by_key: Mapping[str, Parameter], values: Mapping[str, Any]) -> str:
    return "\n".join(
        f"  {f'{key}={shown(values[key])}':<34} {p.description or 'no description'} ({p.wanted()})"
        for key, p in by_key.items()
    )
