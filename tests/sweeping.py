"""What tests of sweeps share: the command, and what a sweep leaves."""

import json
import os
import sys
from pathlib import Path

import forking
from chainrule.records.run import MANIFEST
from chainrule.records.sweep import SWEEP

COMMAND = [sys.executable, "-m", "chainrule"]


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
        if path.is_file() and path.name != "report.html":
            found[name] = path.read_bytes()
            if path.name == MANIFEST:
                manifest = json.loads(found[name])
                found[name] = {key: value for key, value in manifest.items() if key not in ("started", "seconds")}
            elif path.name == SWEEP:
                manifest = json.loads(found[name])
                timeless = {key: v for key, v in manifest.items() if key not in ("key", "started", "finished", "times")}
                found[name] = timeless
    return found
