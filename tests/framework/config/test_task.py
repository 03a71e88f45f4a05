"""The task that Hydra runs for each job, with any launcher."""

import json
from pathlib import Path

from chainrule.records.run import FAILURE
from sweeping import PLACE, SHORT, command


def test_a_seed_that_is_no_number_fails_in_a_sentence():
    """Also where a sweeper that is not ours has not checked the jobs."""
    own = ["hydra/sweeper=basic", "hydra/launcher=basic"]
    done = command("-m", *SHORT, PLACE, *own, "seed=abc", code=1)
    assert done.stderr.endswith("chainrule: seed must be a whole number >= 0, not 'abc'.\n")
    failure = json.loads(Path("sweep/0", FAILURE).read_text())
    assert (failure["error"], failure["seed"]) == ("seed must be a whole number >= 0, not 'abc'.", 0)
