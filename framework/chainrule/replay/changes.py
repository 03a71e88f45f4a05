"""Changes of one thing about a run, by which a diagnosis is tried."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chainrule.components.contracts import Component
from chainrule.components.parameters import build
from chainrule.components.stacking import has_rate
from chainrule.config.fitting import LOSS, OUTPUT, suited_to
from chainrule.records.settings import Settings
from chainrule.registry.registry import Registry

Make = Callable[[Settings, Registry], Settings | None]
CONTROL = "other seed"  # nothing but the seed of the start and of the order


@dataclass(frozen=True)
class Change:
    """A change of one thing.

    Attributes:
        name: what instruments name as a cure.
        make: returns the changed settings; None where there is nothing to change.
        standardizes: whether the inputs are shifted and scaled to a mean of 0 and a deviation of 1.
        own_data: whether it has samples of its own; all others have those of the run.
        from_the_start: whether it makes sense only from the first step on.
    """

    name: str
    make: Make
    standardizes: bool = False
    own_data: bool = False
    from_the_start: bool = False


def _made(registry: Registry, kind: str, name: str, **values: Any) -> Any:
    made: Component = build(registry.find(kind, name), values, kind)
    return made


def _rate(factor: float) -> Make:
    def make(settings: Settings, registry: Registry) -> Settings | None:
        optimizer: Any = settings.optimizer
        if not has_rate(optimizer):
            return None
        return replace(
            settings, optimizer=replace(optimizer, **{optimizer.rate: factor * getattr(optimizer, optimizer.rate)})
        )

    return make


def _component(group: str, kind: str, *names: str) -> Make:
    """Return what chooses the first of these components that the run does not have."""

    def make(settings: Settings, registry: Registry) -> Settings | None:
        own = getattr(settings, group)
        now = {one.name for one in (own if isinstance(own, tuple) else (own,))}
        name = next((name for name in names if name not in now and name in registry.names(kind)), None)
        return replace(settings, **{group: _made(registry, kind, name)}) if name else None

    return make


def _hidden(settings: Settings, hidden: tuple[int, ...]) -> Settings | None:
    """Return settings with other hidden layers; None if these are the same, or chosen one by one."""
    is_layered = isinstance(settings.activation, tuple) or isinstance(settings.norm, tuple)
    if hidden == settings.network.hidden or (is_layered and len(hidden) != len(settings.network.hidden)):
        return None
    return replace(settings, network=replace(settings.network, hidden=hidden))


def _transform(name: str, **values: Any) -> Make:
    def make(settings: Settings, registry: Registry) -> Settings | None:
        if name in [one.name for one in settings.transforms] or name not in registry.names("transform"):
            return None
        return replace(settings, transforms=(*settings.transforms, _made(registry, "transform", name, **values)))

    return make


def _batch(settings: Settings, registry: Registry) -> Settings | None:
    size = settings.training.batch_size
    return None if size is None else replace(settings, training=replace(settings.training, batch_size=8 * size))


def _cosine(settings: Settings, registry: Registry) -> Settings | None:
    if not has_rate(settings.optimizer) or settings.schedule.name != "constant":
        return None
    return _component("schedule", "schedule", "cosine")(settings, registry)


def _norm(settings: Settings, registry: Registry) -> Settings | None:
    return _component("norm", "activation", "layer_norm")(settings, registry) if settings.network.hidden else None


def _dropout(settings: Settings, registry: Registry) -> Settings | None:
    if settings.network.dropout or not settings.network.hidden:
        return None
    return replace(settings, network=replace(settings.network, dropout=0.2))


def _output(settings: Settings, registry: Registry) -> Settings | None:
    """Return settings with the output and the loss that suit the task."""
    suiting = suited_to(settings.target)
    if (settings.output.name, settings.loss.name) == (suiting[OUTPUT], suiting[LOSS]):
        return None
    output, loss = _made(registry, "activation", suiting[OUTPUT]), _made(registry, "loss", suiting[LOSS])
    return replace(settings, output=output, loss=loss)


def _samples(settings: Settings, registry: Registry) -> Settings | None:
    number = settings.data.samples or settings.target.samples
    if settings.target.samples is None or number is None:  # a data set has no more
        return None
    return replace(settings, data=replace(settings.data, samples=5 * number))


def _best(settings: Settings, registry: Registry) -> Settings | None:
    training = settings.training
    return None if training.restore_best else replace(settings, training=replace(training, restore_best=True))


def _epochs(settings: Settings, registry: Registry) -> Settings | None:
    training = settings.training
    return replace(settings, training=replace(training, epochs=5 * training.epochs))


def _same(settings: Settings, registry: Registry) -> Settings | None:
    return settings


def _standardized(settings: Settings, registry: Registry) -> Settings | None:
    return None if settings.target.standardized else settings


def _layers(scale: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Make:
    return lambda settings, registry: _hidden(settings, scale(settings.network.hidden))


_ALL = (
    Change(CONTROL, _same),
    Change("rate/100", _rate(0.01)),
    Change("rate/10", _rate(0.1)),
    Change("rate*10", _rate(10)),
    Change("rate*100", _rate(100)),
    Change("adam", _component("optimizer", "optimizer", "adam")),
    Change("cosine", _cosine),
    Change("clip", _transform("clip")),
    Change("larger batch", _batch),
    Change("activation", _component("activation", "activation", "leaky_relu", "tanh")),
    Change("initializer", _component("initializer", "initializer", "xavier_normal", "he_normal"), from_the_start=True),
    Change("wider", _layers(lambda hidden: tuple(4 * units for units in hidden)), from_the_start=True),
    Change("narrower", _layers(lambda hidden: tuple(max(1, units // 4) for units in hidden)), from_the_start=True),
    Change("shallower", _layers(lambda hidden: hidden[:1]), from_the_start=True),
    Change("norm", _norm, from_the_start=True),
    Change("standardized", _standardized, standardizes=True, from_the_start=True),
    Change("output", _output, from_the_start=True),
    Change("l2", _transform("l2")),
    Change("dropout", _dropout),
    Change("more samples", _samples, own_data=True, from_the_start=True),
    Change("restore_best", _best, from_the_start=True),
    Change("epochs*5", _epochs),
)
CHANGES: dict[str, Change] = {change.name: change for change in _ALL}
