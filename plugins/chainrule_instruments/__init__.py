"""Instruments: what kept a run from learning, measured while it is trained again."""

from collections.abc import Sequence

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.instruments import Instrument
from chainrule_instruments.curvature import Plateau, RateAboveCurvature
from chainrule_instruments.data import InputScale, LossMismatch, OutputRange
from chainrule_instruments.gradients import ExplodingGradients, VanishingGradients
from chainrule_instruments.losses import NoiseFloor, Oscillation, Overfitting, TooFewEpochs
from chainrule_instruments.units import DeadUnits, IdenticalUnits, SaturatedUnits
from chainrule_instruments.updates import UpdateSize


@hookimpl
def chainrule_instruments() -> Sequence[type[Instrument]]:
    """Return the instruments of this package."""
    return [
        OutputRange,
        InputScale,
        LossMismatch,
        IdenticalUnits,
        RateAboveCurvature,
        ExplodingGradients,
        DeadUnits,
        SaturatedUnits,
        VanishingGradients,
        UpdateSize,
        Oscillation,
        Plateau,
        Overfitting,
        NoiseFloor,
        TooFewEpochs,
    ]
