"""The user, the code and the machine of a run."""

import getpass
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from chainrule.engine.trainer import blas

PROCESSOR, BLAS = "processor", "blas"  # what of the machine decides the last bits
_LASTS = 10.0  # seconds for which an answer of git counts: it takes as long as recording some runs


def environment() -> dict[str, str]:
    """Return the user, the git commit of the working directory, the machine, and versions of Python and libraries.

    Of the machine there are the platform and what :func:`processor` says.
    """
    commit = _commit(os.getcwd(), int(time.monotonic() / _LASTS))
    return _unchanging() | ({"git_commit": commit} if commit else {})


@cache
def _unchanging() -> dict[str, str]:
    versions = {name: version(name) for name in ("chainrule", "numpy", "hydra-core", "mlflow")}
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    machine = {"platform": platform.platform(), **processor()}
    return {"user": user, "python": platform.python_version(), **machine, **versions}


@lru_cache(maxsize=1)
def _commit(directory: str, _: int) -> str:
    """Return the commit of the working directory, asked for anew where that or the time has changed."""
    commit = _git("rev-parse", "HEAD")
    return commit + "-dirty" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


@cache
def processor() -> dict[str, str]:
    """Return what NumPy uses of the processor; numbers of two that differ in it may differ in their last bits.

    ``processor`` has the groups of features for which NumPy has code and takes it, as in ``X86_V2 X86_V3``. Those that
    ``NPY_DISABLE_CPU_FEATURES`` switches off are not among them. ``blas`` says for which processor its BLAS
    multiplies, which ``OPENBLAS_CORETYPE`` can change; it is left out where that is not known.
    """
    core = import_module("numpy._core._multiarray_umath")
    known = (*core.__cpu_baseline__, *core.__cpu_dispatch__)
    found = {PROCESSOR: " ".join(name for name in known if core.__cpu_features__.get(name))}
    libraries = [library.info() for library in blas().lib_controllers]
    # Other packages, such as SciPy, may have loaded a BLAS of their own.
    own = [info for info in libraries if any(part.startswith("numpy") for part in Path(info["filepath"]).parts)]
    for info in (own or libraries)[:1]:
        words = (info.get(name) for name in ("internal_api", "version", "architecture"))
        found[BLAS] = " ".join(word for word in words if word)
    return found


def switches(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Return the variables with which NumPy uses the same of two processors, as they are typed before a command.

    Args:
        one: entries ``processor`` and ``blas``; where features are equal, the other is to use this BLAS.
        other: the same of the other processor.

    Returns:
        An empty text where variables do not help, because neither has all that the other has.
    """
    few, many = sorted((one, other), key=lambda found: len(found.get(PROCESSOR, "").split()))
    fewer, more = (found.get(PROCESSOR, "").split() for found in (few, many))
    (library, *core), (other_library, *other_core) = (found.get(BLAS, " ").split(" ") for found in (few, many))
    if not set(fewer) <= set(more) or library != other_library or len(core) != len(other_core):
        return ""
    off = " ".join(name for name in more if name not in fewer)
    words = [f"NPY_DISABLE_CPU_FEATURES='{off}'"] if off else []
    if core != other_core:
        if library != "openblas" or core[:-1] != other_core[:-1]:
            return ""
        words.append(f"OPENBLAS_CORETYPE={core[-1]}")
    return " ".join(words)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
