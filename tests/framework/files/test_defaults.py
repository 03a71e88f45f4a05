"""The defaults of the packaged configuration."""

from chainrule.config.compose import compose_config
from chainrule.files.defaults import defaults
from chainrule.records.settings import LISTS


def test_they_are_what_hydra_composes_when_nothing_is_typed():
    composed, found = compose_config([]), defaults()
    assert found["seed"] == composed["seed"] == 0
    for key, value in composed.items():
        if key == "plugins":  # of a file of its own, which another test reads
            assert key not in found
        elif key in LISTS:
            assert (found[key], value) == ([], {})
        elif isinstance(value, dict) and "name" in value:
            assert found[key] == value["name"], key
        else:
            assert found[key] == value, key
    assert found["experiment"] is None
