"""Samplings: which samples an epoch trains on, in which order, and what is done to them."""

from collections.abc import Sequence

from chainrule.components.contracts import Sampling
from chainrule.registry.hookspecs import hookimpl
from chainrule_samplings.balanced import Balanced
from chainrule_samplings.curriculum import Curriculum
from chainrule_samplings.label_noise import LabelNoise
from chainrule_samplings.mixup import Mixup
from chainrule_samplings.noise import Noise
from chainrule_samplings.orders import Fixed, Shuffled
from chainrule_samplings.replacement import Replacement
from chainrule_samplings.stream import Stream


@hookimpl
def chainrule_samplings() -> Sequence[type[Sampling]]:
    """Return the samplings of this package."""
    return [Shuffled, Fixed, Replacement, Balanced, Curriculum, Noise, LabelNoise, Mixup, Stream]
