"""The tests that Hydra ships for authors of launchers, and one of its callbacks."""

from pathlib import Path

import pytest
from hydra import version
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite

from hydra_plugins.chainrule_stacked import StackedLauncher, StackedSweeper
from sweeping import PLACE, SHORT, command

# The suite's own applications do without version_base.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*version_base:UserWarning"),
    pytest.mark.filterwarnings("ignore:Future Hydra versions:UserWarning"),
    pytest.mark.filterwarnings("ignore:\\s*The version_base:UserWarning"),
]
SWEEPERS = [["hydra/sweeper=basic"], ["hydra/sweeper=stacked"]]


@pytest.fixture(autouse=True)
def _as_in_a_new_process():
    """Other tests choose another version of Hydra's behaviour, which stays in the process."""
    version.VersionBase.instance().setbase(version.__compat_version__)


def test_hydra_finds_both():
    for cls, base in ((StackedLauncher, Launcher), (StackedSweeper, Sweeper)):
        assert cls.__qualname__ in [found.__qualname__ for found in Plugins.instance().discover(base)]


@pytest.mark.parametrize(("launcher_name", "overrides"), [("stacked", sweeper) for sweeper in SWEEPERS])
class TestLauncher(LauncherTestSuite):
    """One batch."""


@pytest.mark.parametrize(
    ("launcher_name", "overrides"),
    [
        ("stacked", ["hydra/sweeper=stacked", "hydra.sweeper.max_batch_size=2"]),
        pytest.param("stacked", ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2"], marks=pytest.mark.slow),
        pytest.param("basic", ["hydra/sweeper=stacked", "hydra.sweeper.max_batch_size=2"], marks=pytest.mark.slow),
    ],
)
class TestBatches(BatchedSweeperTestSuite):
    """Several batches."""


@pytest.mark.rare
@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=stacked", *sweeper]) for sweeper in SWEEPERS],
)
class TestIntegration(IntegrationTestSuite):
    """Applications in processes of their own."""


def test_callbacks_of_hydra_see_each_job(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "noting.py").write_text("""
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback

class Noting(Callback):
    def on_job_start(self, config, **_):
        self.note("start", config.hydra, HydraConfig.get())
    def on_job_end(self, config, job_return, **_):
        self.note("end", config.hydra, job_return.hydra_cfg.hydra)
    def note(self, event, *configs):
        with open("notes", "a") as file:
            print(event, *(f"{c.job.num} {c.runtime.output_dir.rpartition('/')[2]}" for c in configs), file=file)
""")
    command("-m", *SHORT, PLACE, "seed=0,1", "+hydra.callbacks.noting._target_=noting.Noting", path=tmp_path / "site")
    lines = [f"{event} {n} {n} {n} {n}" for n in (0, 1) for event in ("start", "end")]
    assert Path("notes").read_text().splitlines() == lines
