"""Gradient descent and the optimizers that people compare it with."""

from collections.abc import Sequence

from chainrule.components.contracts import Optimizer
from chainrule.registry.hookspecs import hookimpl
from chainrule_optimizers.adabound import AdaBound
from chainrule_optimizers.adam import Adam, AdamW, NAdam
from chainrule_optimizers.adaptive import Adadelta, Adagrad, RMSprop
from chainrule_optimizers.descent import GradientDescent, Momentum, Nesterov
from chainrule_optimizers.evolution import Evolution
from chainrule_optimizers.lbfgs import LBFGS
from chainrule_optimizers.levenberg_marquardt import LevenbergMarquardt
from chainrule_optimizers.lion import Lion
from chainrule_optimizers.muon import Muon
from chainrule_optimizers.prodigy import Prodigy
from chainrule_optimizers.radam import RAdam
from chainrule_optimizers.rprop import Rprop
from chainrule_optimizers.sam import SAM
from chainrule_optimizers.schedule_free import ScheduleFree
from chainrule_optimizers.sgdw import SGDW
from chainrule_optimizers.sgld import SGLD
from chainrule_optimizers.shampoo import Shampoo


@hookimpl
def chainrule_optimizers() -> Sequence[type[Optimizer]]:
    """Return the optimizers of this package."""
    return [
        *(GradientDescent, Momentum, Nesterov, Adagrad, Adadelta, RMSprop, Adam, AdamW, NAdam, Rprop),
        *(SGDW, RAdam, AdaBound, Lion, Prodigy),
        *(Muon, Shampoo, SAM, LBFGS, LevenbergMarquardt, ScheduleFree, SGLD, Evolution),
    ]
