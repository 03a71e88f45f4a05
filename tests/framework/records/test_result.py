"""What a finished run gives."""

import numpy as np
import pytest

import chainrule


def test_predictions_are_in_the_target_s_units(tmp_path):
    result = chainrule.run("target=diabetes", "training.epochs=20")
    x, y = result.samples.raw(result.samples.validation)
    assert result.predict(x).shape == y.shape
    np.testing.assert_allclose(result.predict(x[:, 0]), result.predict(x)[:, 0], rtol=1e-12)
    assert 30 < result.predict(x).mean() < 300
    with pytest.raises(chainrule.ConfigurationError, match=r"x must have the shape \(10, samples\) or \(10,\)"):
        result.predict(x.T)
    assert not list(tmp_path.iterdir()), "nothing is written without a directory"
