"""Losses of simulated methods that are compared."""

import numpy as np

KINDS = ["normal", "heavy tails", "ties", "diverged", "shared"]
CASES = [(1, 2), (7, 2), (1, 6), (7, 6)]


def losses(rng, count, targets, methods, blocks=6, seeds=4, kind="normal", luck=1.0):
    """Losses of equal methods, ``(count, targets, methods, blocks, seeds)``; a tuning is as lucky as ``luck`` says."""
    shape = (count, targets, methods, blocks, seeds)
    z = luck * rng.standard_normal((*shape[:-1], 1)) + rng.standard_normal(shape)
    z += (3.0 if kind == "shared" else 0.3) * rng.standard_normal((*shape[:2], 1, *shape[3:]))  # a seed's data
    match kind:
        case "heavy tails":
            return np.exp(3 * z)
        case "ties":
            return np.round(z)
        case "diverged":
            return np.where(z > 0.6, np.inf, np.exp(z))
    return z
