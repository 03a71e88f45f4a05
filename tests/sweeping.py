"""What tests of sweeps share: the command, and what a sweep leaves."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import setup_globals
from hydra.types import RunMode

import forking
from chainrule.files import paths
from chainrule.records.manifest import MANIFEST
from chainrule.records.sweep import SWEEP
from distributions import MOODY
from processes import of_group, wait_until

COMMAND = [sys.executable, "-m", "chainrule"]
OF_ATTEMPT = ("started", "seconds", "stack", "checksum")  # what says when and how long
SHORT = ["training.epochs=4", "training.batch_size=16", "tracking=none"]
PLACE = "hydra.sweep.dir=sweep"
# Four such runs are expected to take so long that they are trained in processes of their own.
LONG = ["training.epochs=650", "training.batch_size=16", "network.hidden=[2,2,2,2,2,2,2,2,2,2]", "activation=tanh",
        "training.measure_every=1", "output=moody", "tracking=none", "hydra.launcher.workers=2",
        "hydra.launcher.stack=1"]  # fmt: skip
SEARCH = ["-m", "hydra/sweeper=stacked_optuna", "tracking=none", "training.epochs=40", "training.batch_size=16"]
RATE = "optimizer.lr=tag(log,interval(1e-4,1))"


def environment(path):
    """That of this process, with a further folder of packages if there is one."""
    folders = [str(path)] if path else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])}


def command(*arguments, code=0, folder=".", path=None):
    done = forking.python("-m", "chainrule", *arguments, folder=folder, environment=environment(path))
    assert done.returncode == code, done.stdout + done.stderr
    return done


def contents(folder):
    """The files below a folder by name, but the report; what says when and how long is left out."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.name not in ("report.html", "checksums.json"):
            found[name] = path.read_bytes()
            if path.name == MANIFEST:
                manifest = json.loads(found[name])
                found[name] = {key: value for key, value in manifest.items() if key not in OF_ATTEMPT}
            elif path.name == SWEEP:
                manifest = json.loads(found[name])
                timeless = {
                    key: v for key, v in manifest.items() if key not in (*OF_ATTEMPT, "key", "finished", "times")
                }
                found[name] = timeless
    return found


def without_beside(found):
    """Contents without what manifests say of hydra.yaml, which names the launcher."""
    for content in found.values():
        if isinstance(content, dict):
            content.pop("beside", None)
    return found


def started(*arguments, path):
    """The command in a session of its own."""
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=PIPE, stderr=PIPE, text=True, env=environment(path), start_new_session=True
    )


def hold(plugin, meanwhile="time.sleep(0.05)"):
    """Let the plugin wait as long as there is a file of this name, or do something else."""
    imports = "import os\nimport signal\nimport time\nfrom dataclasses"
    waiting = f'while os.path.exists("hold"):\n            {meanwhile}\n        return np.tanh'
    source = MOODY.replace("from dataclasses", imports, 1).replace("return np.tanh", waiting)
    (plugin / "chainrule_moody.py").write_text(source)
    Path("hold").touch()


def interrupted(process, to_all=True, times=1):
    """What a process says at its end, after which none of those that it has started is left."""
    for _ in range(times):
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)  # as long as anybody can write there
    wait_until(lambda: not of_group(process.pid))
    assert process.returncode == 130, errors
    return errors


def search(*arguments, code=0, folder="."):
    return command(*SEARCH, *arguments, code=code, folder=folder)


def study(path="found/optuna.log", name=None):
    import optuna  # which need not be there for tests of other sweeps

    backend = optuna.storages.journal.JournalFileBackend(str(path))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name=name or storage.get_all_studies()[0].study_name, storage=storage)


@contextlib.contextmanager
def composing(tmp_path, *overrides):
    """A loader and the configuration of a sweep, as Hydra makes them for a multirun."""
    setup_globals()
    with initialize_config_dir(str(paths.configuration()), version_base="1.3", job_name="chainrule"):
        hydra = GlobalHydra.instance().hydra
        own = [f"hydra.sweep.dir={tmp_path}/sweep", *overrides]
        yield hydra, hydra.compose_config("config", own, RunMode.MULTIRUN)
