"""Backward rules: the exact one, the article's formulas as printed, and rules without the weights' transpose."""

from collections.abc import Sequence

from chainrule.components.contracts import Rule
from chainrule.registry.hookspecs import hookimpl
from chainrule_rules.article import AsPrinted, Exact
from chainrule_rules.feedback import DirectFeedbackAlignment, FeedbackAlignment, SignSymmetric


@hookimpl
def chainrule_rules() -> Sequence[type[Rule]]:
    """Return the rules of this package."""
    return [Exact, AsPrinted, FeedbackAlignment, DirectFeedbackAlignment, SignSymmetric]
