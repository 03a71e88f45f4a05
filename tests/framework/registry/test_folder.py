"""Which files of a folder are plugins; none is executed to find out."""

import os

import pytest

from chainrule.registry.folder import plugin_files
from distributions import BENT, plugin_folder

NOT_TO_BE_RUN = "raise SystemExit('not to be run')\n"


def names(place):
    found, reports = plugin_files(place)
    return [provider.distribution for provider in found], reports


def test_files_that_import_chainrule_are_plugins(tmp_path):
    plugin_folder(
        tmp_path, mine=BENT, other="import numpy, chainrule\n", later="def f():\n    from chainrule import run\n"
    )
    assert names(tmp_path) == (["plugins/later.py", "plugins/mine.py", "plugins/other.py"], [])


@pytest.mark.parametrize(
    "source",
    [
        NOT_TO_BE_RUN,
        "import chainrules\n",
        "from chainrule_lynx import Lynx\n",
        "# import chainrule\n",
        "x = 'import chainrule'\n",
        "import mychainrule\n",
        f"import {', '.join(60 * ['numpy'])}\n",  # and no pattern takes for ever
    ],
)
def test_other_files_are_somebody_else_s(tmp_path, source):
    plugin_folder(tmp_path, foreign=source)
    assert names(tmp_path) == ([], [])


def test_folders_tests_and_what_begins_with_an_underscore_are_no_plugins(tmp_path):
    plugins = plugin_folder(tmp_path, _mine=BENT, test_mine=BENT, conftest=BENT)
    for package in ("chainrule_lynx", "folder.py"):
        (plugins / package).mkdir()
        (plugins / package / "__init__.py").write_text(BENT)
    (plugins / "mine.txt").write_text(BENT)
    assert names(tmp_path) == ([], [])


def test_without_a_folder_conf_a_file_is_named_and_left_alone(tmp_path):
    plugin_folder(tmp_path, mine=BENT, foreign=NOT_TO_BE_RUN)
    (tmp_path / "conf").rmdir()
    found, (report,) = names(tmp_path)
    assert not found
    assert report == (
        "plugins/mine.py is not used, because there is no folder conf beside plugins: `mkdir conf` allows it"
    )


def test_folders_above_and_below_do_not_count(tmp_path):
    plugin_folder(tmp_path, mine=BENT)
    (tmp_path / "conf" / "plugins").mkdir()
    for place in (tmp_path / "conf", tmp_path / "plugins"):
        assert names(place) == ([], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_named(tmp_path):
    (plugin_folder(tmp_path, mine=BENT) / "mine.py").chmod(0)
    assert names(tmp_path) == ([], ["plugin plugins/mine.py was skipped: it cannot be read (Permission denied)"])
