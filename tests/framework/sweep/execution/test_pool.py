"""Where units are trained, as it is chosen."""

import pytest

from chainrule.errors import ConfigurationError
from chainrule.sweep.execution.pool import Pool


def test_options_that_make_no_sense():
    with pytest.raises(ConfigurationError, match=r"did you mean 'dask'\?"):
        Pool(2, "dusk", None)
    with pytest.raises(ConfigurationError, match=r"needs hydra\.launcher\.backend=dask or ray"):
        Pool(2, "loky", "tcp://127.0.0.1:8786")
