"""Which samples are for training, which for validation and which for the test."""

import numpy as np

from chainrule.components.contracts import Array
from chainrule.errors import ConfigurationError, counted


def split(
    order: Array, validation: float, test: float, folds: int | None, fold: int, classes: Array | None = None
) -> tuple[Array, Array, Array]:
    """Cut the samples in their random order: return those of training, validation and test.

    The validation part is the beginning of the order and the test part its end; with classes, the beginning and the
    end of the order of each class. So the validation part of an order does not depend on the test.

    Args:
        order: the samples by number, in random order, ``(samples,)``.
        validation: fraction of the samples that is kept for validation.
        test: fraction that is kept for the test.
        folds: in how many parts the others are cut, one of which is for validation instead of the fraction; or None.
        fold: which of them that is, from 0.
        classes: the class of each sample, by number, ``(samples,)``, if each part is to have its share of each class,
            to less than one sample; None if classes do not count.

    Raises:
        ConfigurationError: no sample is left to train on, or a fold has none.
    """
    count = len(order)
    rest, kept = count - round(count * test), round(count * validation)
    if rest < folds if folds else kept >= rest:
        raise ConfigurationError(_none_left(count, validation, test, folds))
    # Without classes all samples are of one.
    own = np.zeros(count, int) if classes is None else np.unique(classes[order], return_inverse=True)[1]
    sizes = np.bincount(own)
    place = _places(own)
    heads = np.zeros_like(sizes) if folds else _shares(sizes, kept, sizes)
    tested = sizes[own] - place <= _shares(sizes, count - rest, sizes - heads)[own]
    held_out = place < heads[own]
    if folds:
        held_out[~tested] = _fold(own[~tested], folds, fold, classes is not None)
    return order[~(held_out | tested)], order[held_out], order[tested]


def _fold(own: Array, folds: int, fold: int, by_class: bool) -> Array:
    """Return which samples are of a fold, from their classes in random order; folds are of scikit-learn's sizes.

    Classes are dealt out to the folds one after the other, like the suits of a pack of cards, as its
    ``StratifiedKFold`` does. Without classes a fold is a part of the order, as in its ``KFold``.
    """
    at = np.arange(len(own))
    if by_class:
        dealt = np.empty(len(own), int)
        dealt[np.argsort(own, kind="stable")] = at % folds
        return np.asarray(dealt == fold)
    size, larger = divmod(len(own), folds)
    first = fold * size + min(fold, larger)
    return (at >= first) & (at < first + size + (fold < larger))


def _places(own: Array) -> Array:
    """Return the place of each sample among those of its class."""
    places = np.empty(len(own), int)
    by_class = np.argsort(own, kind="stable")
    starts = np.cumsum(np.bincount(own)) - np.bincount(own)
    places[by_class] = np.arange(len(own)) - starts[own[by_class]]
    return places


def _shares(sizes: Array, wanted: int, most: Array) -> Array:
    """Return how many of some samples each class gives, in proportion to its size, by the largest remainders.

    Args:
        sizes: how many samples each class has.
        wanted: how many are taken from all.
        most: how many each class has to give.
    """
    total = int(sizes.sum())
    shares = np.minimum(sizes * wanted // total, most)
    while (missing := wanted - int(shares.sum())) > 0:
        able = np.flatnonzero(shares < most)
        ahead = able[np.argsort((shares * total - sizes * wanted)[able], kind="stable")]
        shares[ahead[:missing]] += 1
    return np.asarray(shares)


def _none_left(count: int, validation: float, test: float, folds: int | None) -> str:
    keys = {"data.folds": folds} if folds else {"data.validation": validation}
    keys |= {"data.test": test} if test else {}
    what, several = " and ".join(f"{key}={value:g}" for key, value in keys.items()), len(keys) > 1
    left = "a fold without any" if folds else "none to train on"
    return (
        f"{what} of {counted(count, 'sample')} leave{'' if several else 's'} {left}; "
        f"lower {'them' if several else 'it'} or raise data.samples."
    )
