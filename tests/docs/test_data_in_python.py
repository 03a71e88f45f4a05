"""The page about data in Python: its code runs, and its table has the defaults."""

import re
from pathlib import Path

import pytest

import chainrule
from chainrule.files.defaults import defaults

PAGE = (Path(__file__).parents[2] / "docs" / "data_in_python.md").read_text()


@pytest.mark.slow
def test_the_code_of_the_page_does_what_it_says():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    target = names["result"].settings.target
    for found in (target.input_names, target.output_names):
        assert f"# {found}\n" in PAGE
    assert names["result"].metrics["train/accuracy"] > 0.9
    assert names["classifier"].score(names["X"], names["y"]) > 0.9
    assert len(names["found"].ranking) == 2


def test_the_table_has_the_defaults():
    rows = dict(re.findall(r"^\| ([\w ]+) \| (.*) \|$", PAGE, re.MULTILINE))
    parameters, packaged = chainrule.Regressor().get_params(), defaults()
    for row, name in (("optimizer", "optimizer"), ("initializer", "initializer")):
        assert rows[row] == f"`{parameters[name]}` | `{packaged[name]}`"
    assert rows["samples a step"] == f"{parameters['batch_size']} | {packaged['training']['batch_size']}"
    (units,) = parameters["hidden"]
    before = " and ".join(map(str, packaged["network"]["hidden"]))
    assert (
        rows["hidden layers"] == f"{units} units, `{parameters['activation']}` | {before}, `{packaged['activation']}`"
    )
    assert rows["output and loss of classes"].startswith("`softmax`, `categorical_cross_entropy`")
    assert parameters["standardize"] is True
    assert parameters["validation"] == 0.0
