"""Transforms of gradients and parameters: regularization, constraints, clipping, noise and averages."""

from collections.abc import Sequence

from chainrule.components.contracts import Transform
from chainrule.registry.hookspecs import hookimpl
from chainrule_transforms.centralization import Centralization
from chainrule_transforms.clip import Clip
from chainrule_transforms.clip_layer import ClipLayer
from chainrule_transforms.clip_value import ClipValue
from chainrule_transforms.decoupled_decay import DecoupledDecay
from chainrule_transforms.ema import EMA
from chainrule_transforms.l1 import L1
from chainrule_transforms.l2 import L2
from chainrule_transforms.lookahead import Lookahead
from chainrule_transforms.max_norm import MaxNorm
from chainrule_transforms.noise import Noise


@hookimpl
def chainrule_transforms() -> Sequence[type[Transform]]:
    """Return the transforms of this package."""
    return [L1, L2, DecoupledDecay, MaxNorm, Clip, ClipValue, ClipLayer, Noise, Centralization, EMA, Lookahead]
