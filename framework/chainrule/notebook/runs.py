"""A finished run as an object: its result, and its record if there is one."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.analysis import tables
from chainrule.config.recorded import predictor_of, recorded_settings
from chainrule.config.settings import tracker_from_config
from chainrule.engine.choice import Engine
from chainrule.engine.data import Fresh, Samples
from chainrule.engine.network import Shape
from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.files.words import texts
from chainrule.notebook import plotting
from chainrule.notebook.components import registry
from chainrule.notebook.explaining import Explained
from chainrule.records.predictor import Predictor
from chainrule.records.result import Origin, Result
from chainrule.records.run import Record
from chainrule.records.settings import Settings
from chainrule.registry.watching import Tracker
from chainrule.replay.changes import CHANGES
from chainrule.replay.diagnosis import Diagnosis, diagnose
from chainrule.replay.proof import RUNS
from chainrule.replay.replays import Replay
from chainrule.replay.skill import GOAL
from chainrule.reports import fragment
from chainrule.reports.axes import losses
from chainrule.runs.prepare import drawn, first_states, recorded_parameters


class Run(Result):
    """A finished run: its result, which shows itself in a notebook, and its record if there is one.

    Attributes:
        record: what it left on disk; None if it left nothing.
    """

    record: Record | None = None

    @classmethod
    def of(cls, result: Result, record: Record | None = None) -> "Run":
        """Return the run of a result, whose arrays are shared."""
        return cls._made({**vars(result), "record": record})

    @classmethod
    def read(cls, record: Record) -> "Run":
        """Return the run of a record; its data are drawn again when they are needed.

        Metrics are those of the record, in which all that are not finite are NaN.

        Raises:
            ConfigurationError: this version cannot read its settings, or a plugin that they name is not installed.
            RecordError: a file of the record is missing or damaged.
        """
        manifest, settings = record.manifest, settings_of(record)
        chosen = settings.activation, settings.output, settings.norm
        shape = Shape.of(tuple(manifest.network.widths), *chosen)
        theta, states = recorded_parameters(record.weights(), shape, first_states(settings, shape))
        metrics = {name: float("nan") if value is None else value for name, value in manifest.metrics.items()}
        best = metrics.get("best_epoch") if settings.training.restore_best else None
        start = manifest.get("start")
        run = cls._made(
            {
                "settings": settings,
                "shape": shape,
                "theta": theta,
                "states": states,
                "curves": record.curves(),
                "reason": manifest.reason,
                "epochs": manifest.epochs,
                "evaluations": tuple(int(metrics.get(f"{of}_evaluations", 0)) for of in ("gradient", "loss")),
                "started": datetime.fromisoformat(manifest.started),
                "seconds": manifest.seconds,
                "stack_runs": manifest.stack.runs or 1,
                "stack_seconds": manifest.stack.seconds,
                "notes": tuple(manifest.notes),
                "best_epoch": None if best is None else int(best),
                "origin": Origin(**start) if start else None,
                "test_loss": metrics.get("test/loss"),
                "metrics": metrics,
                "outputs": {},
                "trajectory": None,
                "engine": Engine(manifest.get("engine", {}).get("name", Engine.NUMPY)),
                "fallback": str(manifest.get("engine", {}).get("fallback", "")),
                "record": record,
            }
        )
        run.theta.setflags(write=False)
        return run

    @classmethod
    def _made(cls, values: dict[str, Any]) -> "Run":
        """Return a run with these attributes; nothing is computed again."""
        run = object.__new__(cls)
        vars(run).update(values)
        return run

    @cached_property
    def samples(self) -> Samples:
        """The data of a run that was loaded, drawn again; without any samples if that is not possible any more."""
        assert self.record is not None, "a run without a record has its samples"
        try:
            found = drawn(self.settings)
        except (ChainruleError, OSError):
            return _scaling_alone(self)
        return found if found.digest == self.record.manifest.data.digest else _scaling_alone(self)

    @property
    def predictor(self) -> Predictor:
        """What predictions need of the run: that of its record, unless its data are here."""
        if self.record is None or "samples" in vars(self):
            return super().predictor
        return predictor_of(self.record, registry())

    @property
    def links(self) -> dict[str, str]:
        """Where to look, by title: the directory of the record, and where a tracker shows it."""
        if not self.record:
            return {}
        shown = dict(self.record.links)
        if not shown:
            with suppress(ChainruleError):  # its plugin may be gone, or its store
                shown = tracker_of(self.record).links(self.record)
        return {"record": str(self.record.directory), **shown}

    def to_pandas(self) -> Any:
        """Return the curves as a pandas data frame: one row a point, with its epoch and the value of each curve."""
        return tables.points(self.curves).frame()

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over epochs, as in the picture of a record.

        Args:
            ax: axes of matplotlib to draw into; None for a figure of its own.

        Returns:
            The axes.
        """
        drawn = plotting.axes(ax)
        losses(drawn, self)
        return drawn

    def explain(self, step: int | None = None, *, epoch: int | None = None, sample: int = 1) -> Explained:
        """Train the run again and return one of its steps, in the article's notation, every derivative checked.

        Printed it is a text, in a notebook a page with many steps, which ``write(path)`` writes into a file. Its
        numbers are in ``step``; ``verdict`` says whether the run ended in the same bits.

        Args:
            step: which step, from 1; -1 is the last. The first one by default.
            epoch: instead of it, the first step after so many epochs.
            sample: which sample of the step, from 1.

        Raises:
            ConfigurationError: there is no such step or sample, or the run cannot be trained again.
        """
        replay = Replay.of_record(self.record, registry()) if self.record else Replay.of_result(self)
        return Explained.of(replay, step, epoch, sample)

    def why(self, *, goal: float = GOAL, runs: int = RUNS, changes: str | Sequence[str] | None = None) -> Diagnosis:
        """Train the run again with instruments on it, and say what kept it from learning; then prove it.

        Printed it is a text. ``findings`` has what was found, with numbers, and ``proof`` which changes cure.

        Args:
            goal: the skill at which a run has learned: R2, or accuracy above that of the largest class.
            runs: how many runs are trained with one thing changed, about; 0 for none.
            changes: names of the changes; None for all.

        Raises:
            ConfigurationError: a change is unknown, the goal or the number of runs cannot be, or the run cannot be
                trained again.
        """
        chosen = None if changes is None else texts(changes)
        unknown = [name for name in chosen or () if name not in CHANGES]
        if unknown:
            raise ConfigurationError(
                f"{unknown[0]!r} is no change{nearest(unknown[0], CHANGES)}; the changes are {', '.join(CHANGES)}."
            )
        replay = Replay.of_record(self.record, registry()) if self.record else Replay.of_result(self)
        return diagnose(replay, registry(), goal=goal, runs=runs, chosen=chosen)

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.5g}" for name, value in self.metrics.items() if "/" in name)
        when = "" if self.epochs == self.settings.training.epochs else f", after epoch {self.epochs}"
        lines = [f"Run: {self.settings.title}", scores, f"{self.reason.words}{when}"]
        return "\n  ".join([*lines, *([f"record {self.record.directory}"] if self.record else [])])

    def _repr_html_(self) -> str:
        """Return the network, the curves, scores and settings, for a notebook."""
        return fragment.run(self, self.links)


def settings_of(record: Record | Run) -> Settings:
    """Return the settings of a recorded run.

    Raises:
        ConfigurationError: this version cannot read them, or a plugin that they name is not installed.
    """
    if isinstance(record, Run):
        return record.settings
    return recorded_settings(record, registry())


def tracker_of(record: Record) -> Tracker:
    """Return the tracker to which a record was sent.

    Raises:
        ConfigurationError: its plugin is not installed.
    """
    return tracker_from_config(record.manifest.configuration, registry())


def _scaling_alone(run: Run) -> Samples:
    """Return what a record keeps of the data, which is enough to predict."""
    assert run.record is not None
    data, dtype, kept = run.record.manifest.data, run.theta.dtype, predictor_of(run.record, registry())
    none, x, y = np.empty((1 + data.inputs + data.outputs, 0), dtype), kept.x_scaling, kept.y_scaling
    fresh = Fresh(run.settings.target, run.settings.data.noise, x, y, dtype, kept.x_fill)
    return Samples(none, none, none, data.inputs, data.outputs, x, y, data.digest, fresh, kept.schema, kept.x_fill)
