"""Plain data as text, in the form of OmegaConf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from chainrule.files.yaml_text import dump, text_of

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


WORDS = st.sampled_from(
    [
        "yes",
        "Null",
        "NaN",
        "inf",
        "Infinity",
        "on",
        "y",
        "/a/b-c.d",
        "optimizer.lr=0.01,seed=5",
        "-a",
        "a: b",
        "a-",
        "/",
    ]
) | st.text("aE0.,=/-_:+1 ~", min_size=1, max_size=12)
OF_JOBS = st.recursive(
    WORDS | st.integers() | st.none() | st.booleans() | st.text("0123456789_", min_size=1, max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(WORDS, OF_JOBS, min_size=1, max_size=3) | st.lists(WORDS, max_size=3))
def test_what_jobs_hold_is_written_as_omegaconf_writes_it(content):
    """Names, numbers, directories and overrides, and words that look like something else."""
    assert dump(content) == OmegaConf.to_yaml(OmegaConf.create(content))


def test_a_value_on_a_line_is_read_as_text():
    assert [text_of(text) for text in ("/a b/c", "'it''s'", "12")] == ["/a b/c", "it's", "12"]
    with pytest.raises(ValueError, match="expected"):
        text_of("[")
