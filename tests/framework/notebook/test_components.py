"""A component by its name."""

import pytest

import chainrule


def test_component_by_hand():
    assert chainrule.component("optimizer", "adam", lr=0.01).lr == 0.01
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer=adm is unknown \(did you mean 'adam'\?\)"):
        chainrule.component("optimizer", "adm")
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer.lr must be a number >= 0, not -1"):
        chainrule.component("optimizer", "adam", lr=-1)
    with pytest.raises(chainrule.ConfigurationError, match=r"'optimiser' is not a kind \(did you mean 'optimizer'\?\)"):
        chainrule.component("optimiser", "adam")
