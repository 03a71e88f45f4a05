"""What the recorded words of a sweep may say without being typed again: settings, but no programs and no servers.

The record may be somebody else's. Hydra makes objects of what its own configuration names, opens files for its logs and
sets variables of the environment; a launcher may run commands of a shell; trackers and clusters are servers.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from chainrule.errors import ChainruleError
from chainrule.files.words import resuming, shell_word

MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")
_LONGEST, _BRACKETS = 100_000, 200  # of a word
_KEY = re.compile(r"[+~]{0,2}\w[\w./-]*")
_CHOICES = {
    "hydra/launcher": ("stacked", "basic"),
    "hydra/sweeper": ("stacked", "stacked_optuna", "stacked_compare", "compare", "basic"),
    "hydra/job_logging": ("default", "disabled", "none", "stdout"),
    "hydra/hydra_logging": ("default", "disabled", "none", "stdout"),
}
_HYDRA = re.compile(
    r"hydra\.(sweep\.(dir|subdir)|run\.dir|verbose|job\.chdir|job\.config\.override_dirname(\.\w+)*"
    r"|launcher\.(workers|stack|backend|timeout)"
    r"|sweeper\.(?!storage|_)\w+(\.[\w./]+)?)"
)
_NAMED = re.compile(r"hydra\.(job\.name|output_subdir)")
_NAME = re.compile(r"\.?\w[\w-]*")
# In values: objects for Hydra to make, keys of Hydra and of trackers, servers, and interpolations that ask for more
# than another key or the time.
_PROGRAMS = re.compile(
    r"(?<!\w)_(target|partial)_(?!\w)|\bhydra(/\w+)+(@[\w.]+)?\s*['\"]?\s*[=:]|\bhydra\.[\w.]+\s*['\"]?\s*[=:]|@hydra\b"
    r"|\btracking(\.(?!experiment\b)\w+|\s*['\"]?\s*[=:]\s*['\"]?\{)|://|\$\{(?!now:|hydra:|[a-z_][\w.]*\})"
)


def refused(words: Iterable[str]) -> list[str]:
    """Return those of some recorded words that could run programs, write elsewhere or reach servers, each once.

    Args:
        words: arguments of a command, or overrides of jobs.
    """
    return [word for word in dict.fromkeys(words) if not _is_harmless(word)]


def require_allowed(directory: Path, words: Iterable[str], allowed: Sequence[str]) -> None:
    """Check that the recorded words of a sweep are harmless, or that the person has named them.

    Args:
        directory: of the sweep.
        words: arguments of its command, and overrides of its jobs.
        allowed: what the person has named.

    Raises:
        ChainruleError: some are neither.
    """
    found = [word for word in refused(words) if word not in allowed]
    if found:
        shown = [word if len(word) <= 200 else f"{word[:200]} ..." for word in found[:5]]
        options = " ".join(f"--allow {shell_word(word)}" for word in shown if not word.endswith(" ..."))
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise ChainruleError(
            f"{directory} was started with {', '.join(shown)}{more}, which could run programs, write elsewhere or "
            f"reach servers. If these words are yours, `{resuming(directory)} {options}` goes on."
        )


def _is_harmless(word: str) -> bool:
    if word in MULTIRUN:
        return True
    key, equals, value = word.partition("=")
    if len(word) > _LONGEST or max(map(value.count, "([{")) > _BRACKETS:  # which would take Hydra's grammar for ever
        return False
    if not _KEY.fullmatch(key) or _PROGRAMS.search(value):
        return False
    key = key.lstrip("+~")
    if key in _CHOICES:
        return value in _CHOICES[key]
    if key.startswith("hydra"):
        return bool(_HYDRA.fullmatch(key) or (_NAMED.fullmatch(key) and (value == "null" or _NAME.fullmatch(value))))
    if key.partition(".")[0] == "tracking":
        return key == "tracking.experiment" or (key == "tracking" and re.fullmatch(r"[\w,]*", value) is not None)
    return bool(equals) or word.startswith("~")
