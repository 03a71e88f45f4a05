"""``chainrule resume``: what it needs to finish a sweep."""

from sweeping import command


def test_resuming_what_is_no_sweep(tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("resume", "empty", code=1).stderr == "chainrule: empty holds no sweep: there is no sweep.json.\n"
