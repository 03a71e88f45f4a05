"""Easy samples first."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval, doc

from chainrule.components.contracts import Array, Sampling, Target
from chainrule.engine.weights import classes_of


@dataclass(frozen=True)
class Curriculum(Sampling):
    """Easy samples first: a share of them that grows from epoch to epoch, until all take part.

    The easiest are those whose inputs lie nearest to the mean inputs of their class, or of all samples in a regression.
    The share grows linearly from ``start`` and is 1 from the fraction ``until`` of the epochs on, the competence of
    Platanios et al. (2019), arXiv:1903.09848. In an epoch each sample that takes part comes equally often, or once more
    than others. Bengio et al. (2009), Curriculum learning, ICML.
    """

    start: Annotated[float, Interval(gt=0, le=1), doc("share of the samples in the first epoch")] = 0.2
    until: Annotated[float, Interval(gt=0, le=1), doc("fraction of the epochs after which all take part")] = 0.5

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int, *, target: Target) -> Array:
        """Return random orders of the easiest samples, one after the other."""
        samples = len(x)
        share = min(1.0, self.start + (1 - self.start) * epoch / (self.until * epochs))
        classes = classes_of(y) if target.resolved_task == "classification" else np.zeros(samples, int)
        easiest = np.argsort(_distances(x, classes), kind="stable")[: max(1, round(share * samples))]
        orders = [rng.permutation(easiest) for _ in range(-(-samples // len(easiest)))]
        return np.concatenate(orders)[:samples]


def _distances(x: Array, classes: Array) -> Array:
    """Return the squared distance of the inputs of each sample from the mean of its class."""
    means = np.zeros((classes.max() + 1, x.shape[1]))
    np.add.at(means, classes, x)
    means /= np.maximum(np.bincount(classes), 1)[:, None]
    distances: Array = np.square(x - means[classes]).sum(axis=1)
    return distances
