"""The rule against what follows from its definition by other ways."""

import chainrule
import numpy as np

from chainrule_yesterday.rule import ClippedError

# Two layers of one linear unit: x = 1, a1 = 2, y = 6, so that delta2 = 6 - y_true and dL/da1 = 3 delta2.
NETWORK = {"weights": [[[2.0]], [[3.0]]], "biases": [[0.0], [0.0]], "x": [1.0], "hidden": "identity"}


def deltas(y_true, rule):
    return [delta.item() for delta in chainrule.trace_step(**NETWORK, y=[y_true], rule=rule).delta]


def test_an_error_within_the_limit_is_the_chain_rule_s():
    assert deltas(5.5, ClippedError(limit=2.0)) == deltas(5.5, "exact") == [1.5, 0.5]


def test_beyond_it_only_its_sign_is_left_but_not_in_the_output_layer():
    assert deltas(5.0, ClippedError(limit=2.0)) == [2.0, 1.0]
    assert deltas(16.0, ClippedError(limit=2.0)) == [-2.0, -10.0]


def test_the_gradient_follows_from_the_clipped_error():
    trace = chainrule.trace_step(**NETWORK, y=[5.0], rule=ClippedError(limit=2.0))
    np.testing.assert_array_equal(np.ravel(trace.weight_gradients), [2.0, 2.0])
