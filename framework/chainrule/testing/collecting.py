"""The checks of a distribution as items of pytest."""

import contextlib
import json
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import ChainruleError
from chainrule.testing import kit
from chainrule.testing.findings import CheckOutcome, CheckResult, FindingError
from chainrule.testing.words import parse_examples, parse_expected

_PROPERTY = "chainrule"  # name under which a report carries a result to the process that writes them all
_TYPED = "chainrule_names_files"  # key in the input of a process of xdist
_SELECTION = pytest.StashKey["Selection"]()


class Selection:
    """The components that a run of pytest checks.

    Attributes:
        distribution: name of the distribution that registers them.
        pairs: each component, with the checks that are expected to fail and why.

    Raises:
        ChainruleError: the distribution or an option of pytest's configuration is wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.distribution = config.getini("chainrule_distribution") or _project(config)
        self.pairs = kit.select(
            self.distribution,
            parse_examples(config.getini("chainrule_examples")),
            parse_expected(config.getini("chainrule_expected_failures")),
        )


class CheckItem(pytest.Item):
    """One check of one component, or the check that enough of them apply."""

    def __init__(self, *, perform: Callable[[], CheckResult], **keywords: Any) -> None:
        super().__init__(**keywords)
        self._perform = perform

    def runtest(self) -> None:
        """Run the check in the root directory, where paths in examples begin."""
        with contextlib.chdir(self.config.rootpath):
            result = self._perform()
        self.user_properties.append((_PROPERTY, result.as_json()))
        if result.outcome is CheckOutcome.FAILED:
            raise FindingError(result.message)
        if result.outcome is CheckOutcome.EXPECTED:
            pytest.xfail(result.message)
        if result.outcome is CheckOutcome.NOT_APPLICABLE:
            pytest.skip(result.message)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *arguments: Any, **keywords: Any) -> Any:
        """Return the sentence alone: a traceback shows only the kit."""
        if isinstance(excinfo.value, FindingError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *arguments, **keywords)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where the item comes from."""
        return self.config.rootpath / "pyproject.toml", None, self.name


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addini("chainrule_distribution", "distribution to check; by default that of pyproject.toml", default="")
    parser.addini(
        "chainrule_examples", "lines such as: target=table target.path=small.csv", type="linelist", default=[]
    )
    parser.addini(
        "chainrule_expected_failures", "lines such as: activation=sign gradient: reason", type="linelist", default=[]
    )
    parser.getgroup("chainrule").addoption(
        "--chainrule-results", metavar="FILE", help="write the results of all checks to FILE, as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find what to check, so that mistakes are reported before anything runs."""
    if _names_files(config):
        if config.getoption("--chainrule-results"):
            raise pytest.UsageError("--chainrule-results needs a run of all tests: name folders, or nothing.")
        return
    try:
        config.stash[_SELECTION] = Selection(config)
    except ChainruleError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(_Results(config), "chainrule_results")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of xdist what was decided here, so that all processes collect the same items."""
    node.workerinput[_TYPED] = _names_files(node.config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add an item for each component and check, before other plugins, so that ``-k`` selects among them too."""
    if _SELECTION not in config.stash:
        return
    selection = config.stash[_SELECTION]
    for subject, reasons in selection.pairs:
        calls = {
            check.name: partial(kit.perform, subject, check, reasons.get(check.name))
            for check in kit.checks_of(subject.kind)
        }
        for name, call in {**calls, kit.COMPLETE: partial(kit.completeness, subject)}.items():
            title = f"{selection.distribution}::{subject}::{name}"
            items.append(CheckItem.from_parent(session, name=title, nodeid=title, perform=call))


class _Results:
    """Collects the results of all processes and writes them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == _PROPERTY and report.when == "call":
                self._found[report.nodeid] = dict(value)  # type: ignore[call-overload]

    def pytest_sessionfinish(self) -> None:
        path = self._config.getoption("--chainrule-results")
        if path and not hasattr(self._config, "workerinput"):
            selection = self._config.stash[_SELECTION]
            results = [self._found[node] for node in sorted(self._found)]
            content = {"distribution": selection.distribution, "results": results}
            Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _names_files(config: pytest.Config) -> bool:
    """Return whether single files or tests were typed, rather than folders or nothing."""
    if hasattr(config, "workerinput"):
        return bool(config.workerinput[_TYPED])
    base, typed = config.invocation_params.dir, config.args_source is pytest.Config.ArgsSource.ARGS
    return typed and any("::" in word or (base / word).is_file() for word in config.args)


def _project(config: pytest.Config) -> str:
    path = config.rootpath / "pyproject.toml"
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"])
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        raise ChainruleError(
            f"{path} has no [project] name; set chainrule_distribution in pytest's configuration instead."
        ) from None
