"""Which samples are for what: sizes, and the shares of classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from chainrule.engine.splitting import split
from chainrule.errors import ConfigurationError

CLASSES = st.lists(st.integers(0, 4), min_size=8, max_size=120).map(np.array)
FRACTIONS = st.floats(0, 0.4)  # so that at least two samples of eight are left, rounded as they are


def order_of(classes, seed=0):
    return np.random.default_rng(seed).permutation(len(classes))


def counts(classes, part):
    return np.bincount(classes[part], minlength=5)


@given(CLASSES, FRACTIONS, FRACTIONS)
@settings(deadline=None)
def test_each_sample_is_in_one_part_and_sizes_do_not_depend_on_classes(classes, validation, test):
    order = order_of(classes)
    parts, plain = (split(order, validation, test, None, 0, each) for each in (classes, None))
    assert [len(part) for part in parts] == [len(part) for part in plain]
    assert sorted(np.concatenate(parts)) == list(range(len(classes)))


@given(CLASSES, FRACTIONS, FRACTIONS)
@settings(deadline=None)
def test_each_part_has_its_share_of_each_class_to_less_than_one_sample(classes, validation, test):
    _, held_out, tested = split(order_of(classes), validation, test, None, 0, classes)
    sizes = counts(classes, slice(None))
    assert (np.abs(counts(classes, held_out) - sizes * len(held_out) / len(classes)) < 1).all()
    exact = sizes * len(tested) / len(classes)
    assert (np.abs(counts(classes, tested) - exact) < 1 + (sizes - counts(classes, held_out) < np.ceil(exact))).all()


@given(CLASSES, FRACTIONS, FRACTIONS)
@settings(deadline=None)
def test_the_validation_part_does_not_depend_on_the_test(classes, validation, test):
    order = order_of(classes)
    alone, beside = (split(order, validation, each, None, 0, classes)[1] for each in (0.0, test))
    np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize("seed", range(8))
def test_counts_of_classes_are_those_of_scikit_learn_to_one_sample(seed):
    rng = np.random.default_rng(seed)
    classes = rng.choice(5, 150, p=[0.5, 0.25, 0.15, 0.07, 0.03])
    train, held_out, _ = split(order_of(classes, seed), 0.2, 0.0, None, 0, classes)
    expected = next(StratifiedShuffleSplit(1, test_size=len(held_out), random_state=seed).split(classes, classes))
    for own, theirs in zip((train, held_out), expected, strict=True):
        assert np.abs(counts(classes, own) - counts(classes, theirs)).max() <= 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_have_the_counts_of_scikit_learn_to_one_sample(seed):
    rng = np.random.default_rng(seed)
    classes = rng.choice(5, 143, p=[0.5, 0.25, 0.15, 0.07, 0.03])
    folds = [split(order_of(classes, seed), 0.2, 0.0, 5, fold, classes) for fold in range(5)]
    expected = [part for _, part in StratifiedKFold(5).split(classes, classes)]
    assert [len(own[1]) for own in folds] == [len(theirs) for theirs in expected]
    for own, theirs in zip(folds, expected, strict=True):
        assert np.abs(counts(classes, own[1]) - counts(classes, theirs)).max() <= 1
    assert sorted(np.concatenate([own[1] for own in folds])) == list(range(143))


def test_all_folds_leave_the_same_samples_for_the_test_in_proportion():
    classes = np.repeat([0, 1], [80, 20])
    parts = [split(order_of(classes), 0.0, 0.2, 4, fold, classes) for fold in range(4)]
    tests = [sorted(tested) for *_, tested in parts]
    assert tests[1:] == tests[:-1]
    assert counts(classes, tests[0])[:2].tolist() == [16, 4]
    assert [counts(classes, held_out)[:2].tolist() for _, held_out, _ in parts] == [[16, 4]] * 4


def test_without_classes_the_parts_are_cut_from_the_order():
    order = order_of(np.zeros(10))
    parts = split(order, 0.2, 0.3, None, 0)
    np.testing.assert_array_equal(np.concatenate([parts[1], parts[0], parts[2]]), order)
    np.testing.assert_array_equal(split(order, 0.0, 0.0, 3, 1)[1], order[4:7])


def test_a_class_of_one_sample_is_not_in_two_parts():
    train, held_out, tested = split(order_of(np.arange(8)), 0.4, 0.4, None, 0, np.arange(8))
    assert (len(train), len(held_out), len(tested)) == (2, 3, 3)
    assert sorted([*train, *held_out, *tested]) == list(range(8))


def test_too_few_samples_are_refused():
    with pytest.raises(ConfigurationError, match=r"data.validation=0.9 of 3 samples leaves none to train on"):
        split(np.arange(3), 0.9, 0.0, None, 0, np.zeros(3, int))
