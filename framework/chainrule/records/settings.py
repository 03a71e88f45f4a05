"""The settings of one run: frozen dataclasses whose fields carry the names of the configuration."""

import enum
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import (
    Activation,
    Component,
    Initializer,
    Loss,
    Optimizer,
    Rule,
    Sampling,
    Schedule,
    Target,
    Transform,
)
from chainrule.components.parameters import parameters, plain, plain_defaults
from chainrule.engine.choice import Engine
from chainrule.errors import ConfigurationError, PluginError
from chainrule.files.defaults import defaults

_LARGEST = 10**9  # of what is counted; more would not end, or not fit into memory


class DType(enum.Enum):
    """Floating point precision of a run."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"


@dataclass(frozen=True)
class Network:
    """``network``: the hidden layers; inputs and outputs come from the target."""

    hidden: Annotated[tuple[int, ...], Interval(ge=1, le=_LARGEST), doc("units of each hidden layer; [] for none")]
    dropout: Annotated[float, Interval(ge=0, lt=1), doc("share of hidden units that are left out of a step")] = 0.0


# Fields that records of earlier versions do not have come last, with a default.
@dataclass(frozen=True)
class Data:
    """``data``: how the samples of a run are drawn, and which part of them is for what."""

    samples: Annotated[int | None, Interval(ge=1, le=_LARGEST), doc("samples in all; null: the target's own number")]
    validation: Annotated[float, Interval(ge=0, lt=1), doc("fraction kept for validation")]
    noise: Annotated[float, Ge(0), doc("standard deviation of noise: on outputs, or on inputs of classes")]
    class_weights: Annotated[tuple[float, ...] | None, Ge(0), doc("weight of each class in the loss; null: 1")] = None
    balance_classes: Annotated[bool, doc("samples weigh inversely to the frequency of their class")] = False
    test: Annotated[float, Interval(ge=0, lt=1), doc("fraction kept for a test, measured once at the end")] = 0.0
    folds: Annotated[
        int | None, Interval(ge=2, le=_LARGEST), doc("folds of a cross-validation, in place of data.validation")
    ] = None
    fold: Annotated[int, Ge(0), doc("which of data.folds is kept for validation, from 0")] = 0
    stratify: Annotated[bool | None, doc("each part has its share of each class; null: for data sets")] = False

    def __post_init__(self) -> None:
        if self.folds is None and self.fold:
            raise ConfigurationError(f"data.fold={self.fold} needs data.folds, the number of folds.")
        if self.folds is not None and self.fold >= self.folds:
            raise ConfigurationError(
                f"data.fold must be a whole number from 0 to {self.folds - 1}, because data.folds is {self.folds}, "
                f"not {self.fold}."
            )

    @property
    def has_validation(self) -> bool:
        """Whether some samples are kept for validation, if there are enough of them."""
        return bool(self.folds or self.validation)


@dataclass(frozen=True)
class Training:
    """``training``: how long and in what steps."""

    epochs: Annotated[int, Interval(ge=0, le=_LARGEST), doc("passes through the training samples, at most")]
    batch_size: Annotated[int | None, Interval(ge=1, le=_LARGEST), doc("samples per step; null: all (full batch)")]
    tolerance: Annotated[float, Ge(0), doc("training loss at which a run has converged")]
    patience: Annotated[
        int | None, Interval(ge=1, le=_LARGEST), doc("epochs without improvement before a plateau; null: never")
    ]
    measure_every: Annotated[
        int | None, Interval(ge=1, le=_LARGEST), doc("epochs between points; null: they cost a tenth of training")
    ]
    dtype: Annotated[DType, doc("floating point precision")]
    restore_best: Annotated[bool, doc("end with the parameters of the best measured epoch, not with the last")] = False
    start: Annotated[str | None, doc("directory of a run whose parameters are the initial ones; null: drawn")] = None
    gradient_norms: Annotated[
        bool | None, doc("curves of gradient norms; null: in full batches, or with measure_every")
    ] = None
    checkpoint_every: Annotated[float | None, Gt(0), doc("seconds between checkpoints, at least; null: none")] = 30.0
    engine: Annotated[Engine, doc("what does the steps; auto: machine code where there are many")] = Engine.AUTO


SECTIONS = {"network": Network, "data": Data, "training": Training}


@dataclass(frozen=True)
class Seed:
    """``seed``, the only key of the configuration outside of a group."""

    seed: Annotated[int, Ge(0), doc("seed of every random number of the run")]


def seed_in(config: Mapping[str, Any]) -> int:
    """Return the seed in a configuration that may be wrong; 0 if it has none that is a whole number."""
    value = config.get("seed")
    return value if type(value) is int else 0


@dataclass(frozen=True)
class Settings:
    """The settings that decide one run, checked.

    ``activation`` is that of all hidden layers, or a tuple of one for each; so is ``norm``, which lies before it.
    """

    seed: int
    network: Network
    data: Data
    training: Training
    activation: Activation | tuple[Activation, ...]
    output: Activation
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    target: Target
    initializer: Initializer
    rule: Rule
    norm: Activation | tuple[Activation, ...]
    sampling: Sampling
    transforms: tuple[Transform, ...] = ()

    def checked(self) -> Self:
        """Return the settings with values of the right types, all within their bounds.

        Those that a configuration describes are so from the start; what ``dataclasses.replace`` puts in need not be.

        Raises:
            ConfigurationError: a value is of a wrong type or out of range, or something else stands for a component.
        """
        found = {"seed": parameters(Seed)["seed"].convert(self.seed, "seed")}
        for group, cls in _PARTS.items():
            value = getattr(self, group)
            if isinstance(value, tuple) and group not in SECTIONS:
                right = tuple(_right(one, cls, f"{group}.{number}") for number, one in enumerate(value, 1))
                found[group] = right
            elif group in LISTS:
                raise ConfigurationError(f"{group} must be a tuple of components, not {value!r}.")
            else:
                found[group] = _right(value, cls, group)
        return replace(self, **found)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as plain data, from which equal settings can be made; an empty list is left out.

        So is how often checkpoints are written, which decides nothing about a run.
        """
        config = {field.name: getattr(self, field.name) for field in fields(self)}
        plain_ = {name: _config(name, value) for name, value in config.items() if value != ()}
        del plain_["training"]["checkpoint_every"]
        return plain_

    def components(self) -> Iterator[tuple[str, Component]]:
        """Yield every component with its group."""
        for field in fields(self):
            value = getattr(self, field.name)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Component):
                    yield field.name, one

    def by_key(self, group: str) -> dict[str, Any]:
        """Return the components of a group by the keys of the configuration that hold them.

        There is one at ``activation``, or one for each layer at ``activation.1`` and so on. Those of a list have their
        names as keys: ``transforms.clip``.
        """
        value = getattr(self, group)
        if not isinstance(value, tuple):
            return {group: value}
        return {f"{group}.{key}": one for key, one in _keyed(group, value)}

    @functools.cached_property
    def title(self) -> str:
        """One line that describes the run: target, network, optimizer, settings that are no defaults, and the seed."""
        return self.title_that(lambda _: True)

    def title_that(self, fits: Callable[[str], bool]) -> str:
        """Return the title without the last of its settings, first of those of the target, if it does not fit as it is.

        Args:
            fits: says whether a title does.
        """
        changed = [f"{key}={shown(value)}" for key, value in self._changed()]
        leaving = [text for text in changed[::-1] if text.startswith("target.")]
        leaving += [text for text in changed[::-1] if text not in leaving]
        for left in range(len(changed) + 1):
            told = [text for text in changed if text not in leaving[:left]] + ["..."] * (left > 0)
            title = ", ".join([*self._main, *told, f"seed {self.seed}"])
            if fits(title):
                break
        return title

    @property
    def _main(self) -> list[str]:
        """Target, network and optimizer in words."""
        widths = "-".join(map(str, self.network.hidden))
        activations = "+".join(one.name for one in self.by_key("activation").values())
        hidden = f"{widths} {activations}" if widths else "no hidden layer"
        return [self.target.name, hidden, self.optimizer.name]

    def _changed(self) -> Iterator[tuple[str, Any]]:
        """Yield keys and values that differ from the packaged configuration, or from the defaults of a component."""
        for field in fields(self):
            group, value = field.name, getattr(self, field.name)
            if group in SECTIONS:
                yield from _other_fields(group, value, defaults()[group])
            elif isinstance(value, Component | tuple):
                if isinstance(value, tuple) and value and group in LISTS:
                    yield group, names(value)
                for key, one in self.by_key(group).items():
                    if group not in (*LISTS, *_NOT_LISTED) and one.name != defaults()[group]:
                        yield key, one.name
                    yield from _other_fields(key, one, plain_defaults(type(one)))


def _right(value: Any, cls: type, where: str) -> Any:
    """Return a section or a component with fields of the right types; itself if they are, or if no option can say so.

    Such is a component of a program, which may hold arrays.
    """
    own_class: type = type(value)
    if cls not in own_class.__mro__:
        component = f"chainrule.component({cls.__name__.lower()!r}, NAME)"
        way = f"settings of class {cls.__name__}" if cls in SECTIONS.values() else component
        raise ConfigurationError(f"{where} must be {way}, not {value!r}.")
    try:
        known = parameters(own_class)
    except PluginError:
        return value
    changed = {}
    for name, parameter in known.items():
        own = getattr(value, name)
        right = parameter.convert(own, f"{where}.{name}")
        if type(right) is not type(own) or right != own:
            changed[name] = right
    return replace(value, **changed) if changed else value


def _other_fields(key: str, owner: Any, before: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield keys and values of fields that are not as before, if the title lists them."""
    for name, own in plain(owner).items():
        if f"{key}.{name}" not in _NOT_LISTED and own != before[name]:
            yield f"{key}.{name}", own


def _keyed(group: str, chosen: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the components of a tuple with their keys in the group: names in a list, else numbers of layers."""
    for number, one in enumerate(chosen, 1):
        yield one.name if group in LISTS else str(number), one


LISTS = tuple(
    name for name, hint in get_type_hints(Settings).items() if get_origin(hint) is tuple
)  # groups of which a run has a list of components

# The class of each section and of the components of each group.
_PARTS: dict[str, type] = {
    name: next(iter(get_args(hint)), hint) for name, hint in get_type_hints(Settings).items() if name != "seed"
}

# Keys that the title shows in another form, and keys that only decide how long and by what it trains, and what is kept.
_NOT_LISTED = (
    *("target", "activation", "optimizer", "network.hidden"),
    *(f"training.{name}" for name in ("epochs", "tolerance", "patience", "measure_every", "gradient_norms", "engine")),
    "training.checkpoint_every",
)


def component_config(component: Component) -> dict[str, Any]:
    """Return a component as the configuration of its group holds it: name and parameters."""
    return {"name": component.name, **plain(component)}


def names(chosen: Iterable[Any]) -> str:
    """Return a list of components, or of their names, as a person types it: ``[clip,ema]``."""
    return f"[{','.join(one.name if isinstance(one, Component) else str(one) for one in chosen)}]"


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested configuration as dotted keys; the key of a group holds the name of its component, or a list."""
    result: dict[str, Any] = {}
    for key, value in config.items():
        if not prefix and key in LISTS and isinstance(value, Mapping):
            result[key] = names(value)
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix.rstrip(".") if key == "name" and prefix else f"{prefix}{key}"] = value
    return result


def shown(value: Any) -> str:
    """Return a value as a person types it in an override."""
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _config(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return {key: plain(one) if name in LISTS else component_config(one) for key, one in _keyed(name, value)}
    if isinstance(value, Component):
        return component_config(value)
    return value if isinstance(value, int) else plain(value)
