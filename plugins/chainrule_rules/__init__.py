"""Backward rules: the exact one, the article's formulas as printed, and other ways of assigning credit."""

from collections.abc import Sequence

from chainrule.components.contracts import Rule
from chainrule.registry.hookspecs import hookimpl
from chainrule_rules.article import AsPrinted, Exact
from chainrule_rules.difference_target_propagation import DifferenceTargetPropagation
from chainrule_rules.direct_random_targets import DirectRandomTargets
from chainrule_rules.equilibrium_propagation import EquilibriumPropagation
from chainrule_rules.feedback import DirectFeedbackAlignment, FeedbackAlignment, SignSymmetric
from chainrule_rules.forward_gradient import ForwardGradient
from chainrule_rules.kolen_pollack import KolenPollack
from chainrule_rules.predictive_coding import PredictiveCoding
from chainrule_rules.weight_mirror import WeightMirror


@hookimpl
def chainrule_rules() -> Sequence[type[Rule]]:
    """Return the rules of this package."""
    return [
        Exact,
        AsPrinted,
        FeedbackAlignment,
        DirectFeedbackAlignment,
        SignSymmetric,
        KolenPollack,
        WeightMirror,
        DirectRandomTargets,
        DifferenceTargetPropagation,
        PredictiveCoding,
        EquilibriumPropagation,
        ForwardGradient,
    ]
