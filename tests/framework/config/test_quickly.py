"""What is composed quickly is what Hydra composes."""

import io
import random
from pathlib import Path

import pytest
import yaml
from hydra._internal import defaults_list
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, _utils

from chainrule.config import compose
from chainrule.config.quickly import composing_quickly
from chainrule.files import paths
from overrides import random_overrides


@pytest.mark.parametrize("number", range(4))
def test_random_overrides_give_what_hydra_gives(number):
    overrides = random_overrides(random.Random(number))
    expected = _composed(overrides)
    with composing_quickly():
        assert _composed(overrides) == expected


def test_an_entry_that_names_another_choice_is_composed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf/of").mkdir(parents=True)
    usual = (paths.configuration() / "config.yaml").read_text()
    Path("conf/config.yaml").write_text(
        usual.replace("- experiment: null", "- experiment: null\n  - of: ${activation}")
    )
    for activation, seed in (("relu", 11), ("tanh", 12)):
        Path(f"conf/of/{activation}.yaml").write_text(f"# @package _global_\nseed: {seed}\n")
    for activation, seed in (("relu", 11), ("tanh", 12), ("gelu", None)):  # for the last one there is no file
        expected = _composed([f"activation={activation}"])
        with composing_quickly():
            found = _composed([f"activation={activation}"])
        assert found == expected
        assert f"seed: {seed}\n" in found or (seed is None and "of/gelu" in found[1])


def _composed(overrides):
    try:
        return OmegaConf.to_yaml(compose._composed(overrides, return_hydra_config=True))
    except Exception as error:
        return type(error), str(error)


_SCALARS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", "~", "null", "yes", "On", "1e3", "1.e3", "1e-3", ".5e1", "1_000", "0o7", "017", "0x1f", "1:30", "1:30.5",
         ".inf", "-.INF", ".NaN", "2001-01-01", "'quoted'", '"a\\tb"', "${seed}", "${oc.env:HOME,a}", "???", "- a",
         "!!python/object/apply:pathlib.Path [a, b]", "!!str 1", "!unknown x", "&a 1", "*a", "[1, two, 3.0]", "{b: c}",
         "|\n  lines\n  more", ">-\n  folded\n  text", "# comment", "é", "\u2028", "\t1", "a: b: c", "[", "}", "<<"]
    ),
    st.text(max_size=8),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@example([("a", "1"), ("a", "2")])  # twice, which OmegaConf refuses
@example([("a", "&x {b: 1}"), ("c", "{<<: *x, d: 2}")])
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c d", "1", "on", "'q'", "?"]), _SCALARS), max_size=5))
def test_files_are_read_as_omegaconf_reads_them(lines):
    text = "".join(f"{key}: {value}\n" for key, value in lines)
    expected = _read(text)
    with composing_quickly():
        assert _read(text) == expected


def _read(text):
    """What a file holds, as text, which tells 1 from 1.0 and True; or that it cannot be read."""
    try:
        return repr(OmegaConf.to_container(OmegaConf.load(io.StringIO(text))))
    except (yaml.YAMLError, OSError, ValueError, AttributeError, TypeError) as error:
        return "unreadable" if isinstance(error, yaml.YAMLError) else type(error)


def test_nothing_stays_changed():
    before = defaults_list._create_interpolation_map, _utils.get_yaml_loader
    with pytest.raises(RuntimeError), composing_quickly(), composing_quickly():
        raise RuntimeError
    assert (defaults_list._create_interpolation_map, _utils.get_yaml_loader) == before


def test_an_installation_without_libyaml_reads_as_well(monkeypatch):
    from chainrule.config import quickly

    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    quickly._reader.cache_clear()
    try:
        with composing_quickly():
            assert OmegaConf.load(io.StringIO("a: 1e3")) == {"a": 1000.0}
            assert not issubclass(quickly._reader(), yaml.CSafeLoader)
    finally:
        quickly._reader.cache_clear()
