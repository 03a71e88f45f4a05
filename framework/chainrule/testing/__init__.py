"""chainrule.testing: checks of components, for authors of plugins.

``check(Mish)`` checks a class, ``check_distribution("chainrule-mish")`` all that a distribution registers. The line
``addopts = "-p chainrule.testing"`` under ``[tool.pytest.ini_options]`` does the latter in every run of pytest.
"""

from chainrule.testing.findings import CheckOutcome as Outcome  # the names that plugins' own tests use
from chainrule.testing.findings import CheckResult as Result
from chainrule.testing.findings import Report
from chainrule.testing.kit import REQUIRED, check, check_distribution, described

pytest_plugins = ("chainrule.testing.collecting",)  # where pytest finds the hooks
__all__ = ["REQUIRED", "Outcome", "Report", "Result", "check", "check_distribution", "described"]
