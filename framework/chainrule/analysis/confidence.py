"""How sure statements are: the level of all tests, and with what probability intervals cover."""

from chainrule.analysis.wording import percent

SIGNIFICANCE = 0.05  # of all tests of one kind together, such as those of all pairs of a comparison
CONFIDENCE = 1 - SIGNIFICANCE  # with which intervals cover, those of all pairs together
IN_PERCENT = percent(CONFIDENCE)
