"""The target of an estimator."""

import numpy as np

from chainrule.estimators.arrays import Arrays

X, Y = np.arange(6.0).reshape(3, 2), np.eye(3)
TARGET = Arrays.of(X, Y, "classification", True, ("a", "b"), ("x", "y", "z"))


def test_it_gives_its_rows_in_their_order():
    x, y = TARGET.data(np.random.default_rng(0), None)
    assert (x.tolist(), y.tolist()) == (X.tolist(), Y.tolist())


def test_what_is_known_of_them_stays_without_them():
    bare = TARGET.without_rows()
    for target, rows in ((TARGET, 3), (bare, 0)):
        assert (target.inputs, target.outputs, len(target.x), len(target.y)) == (2, 3, rows, rows)
        assert (target.resolved_task, target.standardized) == ("classification", True)
        assert (target.input_names, target.output_names) == (("a", "b"), ("x", "y", "z"))
