"""The settings of one run: from configuration to frozen dataclasses with range checks, and back."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Interval, doc

from chainrule import choices
from chainrule.errors import ConfigurationError, nearest
from chainrule.kinds import (
    GROUPS,
    Activation,
    Component,
    Initializer,
    Loss,
    Optimizer,
    Rule,
    Schedule,
    Target,
    Tracker,
)
from chainrule.parameters import Parameter, build, parameters, plain
from chainrule.plugins import Registry


class DType(enum.Enum):
    """Floating point precision of a run."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"


@dataclass(frozen=True)
class Network:
    """``network``: the hidden layers; inputs and outputs come from the target."""

    hidden: Annotated[tuple[int, ...], Ge(1), doc("units of each hidden layer; [] for none")]


@dataclass(frozen=True)
class Data:
    """``data``: how the samples of a run are drawn."""

    samples: Annotated[int | None, Ge(1), doc("samples in all; null: the target's own number")]
    validation: Annotated[float, Interval(ge=0, lt=1), doc("fraction kept for validation")]
    noise: Annotated[float, Ge(0), doc("standard deviation of noise: on outputs, or on inputs of classes")]


@dataclass(frozen=True)
class Training:
    """``training``: how long and in what steps."""

    epochs: Annotated[int, Ge(0), doc("passes through the training samples, at most")]
    batch_size: Annotated[int | None, Ge(1), doc("samples per step; null: all (full batch)")]
    tolerance: Annotated[float, Ge(0), doc("training loss at which a run has converged")]
    patience: Annotated[int | None, Ge(1), doc("epochs without improvement before a plateau; null: never")]
    measure_every: Annotated[int | None, Ge(1), doc("epochs between points of the curves; null: 320 points at most")]
    dtype: Annotated[DType, doc("floating point precision")]

    @property
    def interval(self) -> int:
        """Epochs between two points of the curves."""
        return self.measure_every or max(1, -(-self.epochs // 319))


_SECTIONS = {"network": Network, "data": Data, "training": Training}


@dataclass(frozen=True)
class _Seed:
    seed: Annotated[int, Ge(0), doc("from which every random number of the run follows")]


@dataclass(frozen=True)
class Settings:
    """All that decides one run, checked; the fields carry the names of the configuration."""

    seed: int
    network: Network
    data: Data
    training: Training
    activation: Activation
    output: Activation
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    target: Target
    initializer: Initializer
    rule: Rule
    tracking: Tracker

    @classmethod
    def from_config(cls, config: Mapping[str, Any], registry: Registry) -> "Settings":
        """Make settings from plain data, e.g. a resolved configuration.

        Raises:
            ConfigurationError: an unknown key or name, a wrong type, a value out of range, or a group is missing.
        """
        known = ["seed", *_SECTIONS, *GROUPS, choices.SECTION]
        registry.require_choices(_mapping(config.get(choices.SECTION, {}), choices.SECTION))
        for key in config:
            if key not in known:
                raise ConfigurationError(f"{key} is not a key of the configuration{nearest(str(key), known)}.")
        values: dict[str, Any] = {"seed": _seed(config.get("seed", 0))}
        for name, section in _SECTIONS.items():
            values[name] = build(section, _mapping(config.get(name, {}), name), name)
        for group in GROUPS:
            chosen = dict(_mapping(config.get(group), group))
            name = chosen.pop("name", None)
            if not isinstance(name, str):
                raise ConfigurationError(f"{group} names no component: write {group}=NAME.")
            values[group] = registry.make(group, name, chosen)
        return cls(**values)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as plain data, which ``from_config`` turns back into equal settings."""
        config: dict[str, Any] = {}
        for name in ("seed", *_SECTIONS, *GROUPS):
            value = getattr(self, name)
            if isinstance(value, Component):
                config[name] = described(value)
            else:
                config[name] = plain(value) if name in _SECTIONS else value
        return config

    @property
    def title(self) -> str:
        """One line that says what the run is."""
        widths = "-".join(map(str, self.network.hidden))
        hidden = f"{widths} {self.activation.name}" if widths else "no hidden layer"
        return f"{self.target.name}, {hidden}, {self.optimizer.name}, seed {self.seed}"


def described(component: Component) -> dict[str, Any]:
    """Return a component as the configuration of its group has it."""
    return {"name": component.name, **plain(component)}


def keys() -> dict[str, Parameter]:
    """Return every key of the configuration that belongs to no component, e.g. ``training.epochs``."""
    found = dict(parameters(_Seed))
    for section, cls in {**_SECTIONS, choices.SECTION: choices.Choices}.items():
        found |= {f"{section}.{name}": parameter for name, parameter in parameters(cls).items()}
    return found


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested configuration as dotted keys; the name of a component stands at its group's own key."""
    result: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix.rstrip(".") if key == "name" and prefix else f"{prefix}{key}"] = value
    return result


def _seed(value: Any) -> int:
    return int(parameters(_Seed)["seed"].convert(value, "seed"))


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{key} must be a group of settings, not {value!r}.")
    return value
