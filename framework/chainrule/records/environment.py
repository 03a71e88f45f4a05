"""The user, the code and the machine of a run."""

import getpass
import platform
import subprocess
from functools import cache
from importlib.metadata import version


@cache
def environment() -> dict[str, str]:
    """Return the user, the git commit of the working directory, the platform, and versions of Python and libraries."""
    versions = {name: version(name) for name in ("chainrule", "numpy", "hydra-core", "mlflow")}
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    found = {"user": user, "python": platform.python_version(), "platform": platform.platform(), **versions}
    commit = _git("rev-parse", "HEAD")
    if commit:
        found["git_commit"] = commit + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")
    return found


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
