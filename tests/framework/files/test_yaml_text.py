"""Plain data as text, in the form of OmegaConf."""

from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from chainrule.files.yaml_text import dump

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcde", min_size=1), PLAIN, min_size=1, max_size=3))
def test_the_fast_writer_writes_what_omegaconf_writes(content):
    config = OmegaConf.create({"a": "fixed"})
    config._set_flag("allow_objects", True)
    try:
        config = OmegaConf.create(content)
        expected = OmegaConf.to_yaml(config)
    except Exception:
        return  # text that OmegaConf takes for a broken interpolation
    assert dump(content) == expected
