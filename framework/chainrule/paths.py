"""Where the configuration lies, and where a project keeps its runs."""

from pathlib import Path


def configuration() -> Path:
    """Return the folder of the YAML files: the packaged one, else the checkout's."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def project() -> Path:
    """Return the folder of the project: the nearest one above the working directory that has one of the usual marks."""
    here = Path.cwd()
    return next(
        (d for d in (here, *here.parents) if any((d / mark).exists() for mark in (".git", "pyproject.toml"))), here
    )
