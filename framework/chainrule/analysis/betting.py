"""Which of two methods is better, when data are looked at again and again until the answer is known.

An interval of :mod:`chainrule.analysis.paired` covers with 95 % if the number of blocks was fixed beforehand. Who looks
after each block, and stops when the interval suits, is misled more often. The interval here is a *confidence sequence*:
with 95 % it covers after every block at once, so that it may be read, and the comparison be ended, at any time.

Whoever doubts that the probability of winning is ``m`` bets against it. In each round a part of the wealth is staked on
one block of each target, by what the earlier rounds have shown. If ``m`` is true, no bet is expected to gain, and the
wealth, 1 at first, ever reaches 20 with a probability of at most 1/20 (Ville, 1939). The interval holds every ``m``
against which the wealth never became so large.

References: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, Journal of the Royal
Statistical Society B 86, 2024. Turner, Ly and Grünwald, Generic E-variables for exact sequential k-sample tests that
allow for optional stopping, Journal of Statistical Planning and Inference 230, 2024, for several groups, here targets.
"""

import numpy as np

from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.analysis.paired import Estimate
from chainrule.components.contracts import Array

_STEP = 0.001  # of the probabilities that are tried; one half is among them
_PRIOR = 1.0  # blocks of each target that the bets of the first rounds assume
_STAKE = 0.9  # share of the wealth that is risked at most


def estimate(values: Array, tests: int = 1) -> Estimate:
    """Estimate a probability of winning by an interval that may be read at any time.

    Args:
        values: shape ``(targets, blocks)``, from 0 to 1, in the order in which they were found; blocks are independent.
        tests: for how many pairs together (Bonferroni).

    Returns:
        The p value is anytime-valid as well: the smallest wealth to which doubt about a probability of 1/2, or one
        beyond it, has grown, turned upside down.
    """
    tried = np.arange(1, round(1 / _STEP)) * _STEP
    wealth = np.maximum.accumulate(_log_wealth(values, tried))[-1].clip(min=0.0)  # the largest so far
    inside = np.flatnonzero(wealth < np.log(tests / SIGNIFICANCE))
    if not len(inside):
        inside = wealth.argmin()[None]
    low, high = tried[inside[0]], tried[inside[-1]]
    by_target = values.mean(axis=1)
    raw, half = float(by_target.mean()), len(tried) // 2
    against = wealth[: half + 1] if raw > 0.5 else wealth[half:]
    # The interval ends at 0 or 1 where the last probability that was tried was not refuted.
    interval = (0.0 if inside[0] == 0 else float(low), 1.0 if inside[-1] == len(tried) - 1 else float(high))
    return Estimate(raw, interval, min(1.0, tests * float(np.exp(-against.min()))), tuple(by_target.tolist()))


def _log_wealth(values: Array, tried: Array) -> Array:
    """Return the logarithm of the wealth after each round, for each probability that is doubted.

    In a round the wealth is multiplied, for each target ``g`` with the value ``x[g]``, by ``1 + stake (x[g] - c[g])``.
    The centres ``c`` have ``m`` as their average, so that they take up how targets differ; all targets have one stake.
    If the expected values have the average ``m`` too, the expected product is at most 1: the factors are independent,
    and the geometric mean of their expected values is at most the arithmetic mean, which is 1.

    Args:
        values: shape ``(..., targets, blocks)``.
        tried: probabilities ``m``, shape ``(probabilities,)``.

    Returns:
        An array ``(..., blocks, probabilities)``.
    """
    x = values.swapaxes(-1, -2)  # (..., blocks, targets); for probabilities there is one more axis
    rounds = np.arange(x.shape[-2])[:, None]  # before each of them
    sums, squares = np.cumsum(x, axis=-2) - x, np.cumsum(x**2, axis=-2) - x**2
    overall = (0.5 * _PRIOR + sums.mean(axis=-1, keepdims=True)) / (_PRIOR + rounds)
    expected = (_PRIOR * overall + sums) / (_PRIOR + rounds)
    means = expected.mean(axis=-1, keepdims=True)
    # How much values vary, as a share of what wins and losses would.
    spread = (squares - sums**2 / np.maximum(rounds, 1)).sum(axis=-1, keepdims=True)
    share = (spread + 0.5) / ((expected * (1 - expected)).sum(axis=-1, keepdims=True) * rounds + 0.5)
    # Towards 0 or towards 1, so that centres keep their order and stay between the two.
    towards_0 = expected[..., None] * (tried / means)[..., None, :]
    towards_1 = 1 - (1 - expected)[..., None] * ((1 - tried) / (1 - means))[..., None, :]
    centres = np.where((tried < means)[..., None, :], towards_0, towards_1)
    gain = (expected[..., None] - centres).sum(axis=-2)
    stake = gain / (centres * (1 - centres)).sum(axis=-2) / np.clip(share, 0.05, 1.0)
    stake = np.clip(stake, -_STAKE / (1 - centres).max(axis=-2), _STAKE / centres.max(axis=-2))
    bets = np.log1p(stake[..., None, :] * (x[..., None] - centres)).sum(axis=-2)
    return np.cumsum(bets, axis=-2)
