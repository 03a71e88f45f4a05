"""What outsiders expect of a repository is there, and agrees with the project."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import chainrule

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
YAML = [
    *sorted((ROOT / ".github").rglob("*.yml")),
    *sorted((ROOT / "conf").rglob("*.yaml")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())
RARE = yaml.safe_load((ROOT / ".github" / "workflows" / "rare.yml").read_text())
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
TOLD = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").rglob("*.md")),
    *sorted((ROOT / "experiments").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
    *YAML,
    ROOT / "pyproject.toml",
]


def shown(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", YAML, ids=shown)
def test_yaml_files_parse(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def commands(job):
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_the_workflow_runs_the_steps_of_the_script_each_once():
    (listed,) = re.findall(r"^all=\(([a-z ]+)\)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    runs = [run for job in WORKFLOW["jobs"] for run in commands(job)]
    assert all(run.startswith("bash .ci/run ") for run in runs)
    steps = [step for run in runs for step in run.removeprefix("bash .ci/run ").split()]
    assert sorted(steps) == sorted(listed.split())


def test_the_workflow_tests_the_versions_and_systems_that_the_package_names():
    matrix = WORKFLOW["jobs"]["tests"]["strategy"]["matrix"]
    versions = [
        c.rpartition(" :: ")[2] for c in PROJECT["classifiers"] if c.startswith("Programming Language :: Python :: 3.")
    ]
    assert matrix["python"] == versions
    assert PROJECT["requires-python"] == f">={versions[0]}"
    systems = [c.rpartition(" :: ")[2] for c in PROJECT["classifiers"] if c.startswith("Operating System :: ")]
    assert sorted(systems) == ["Linux", "MacOS"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest"]


def test_what_these_steps_leave_out_is_done_once_a_week():
    (run,) = [step["run"] for step in RARE["jobs"]["rare"]["steps"] if "run" in step]
    assert run == "bash .ci/run rare"
    (when,) = [each["cron"] for each in RARE[True]["schedule"]]  # YAML takes `on` for true
    assert re.fullmatch(r"\d+ \d+ \* \* \d", when)


@pytest.mark.parametrize("workflow", [WORKFLOW, RARE], ids=["tests", "rare"])
def test_a_workflow_may_only_read(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180
        assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=shown)
def test_issue_forms_have_what_a_form_needs(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in ("textarea", "dropdown")
        assert field["attributes"]["label"]
        assert field["type"] != "dropdown" or all(isinstance(option, str) for option in field["attributes"]["options"])


def test_hooks_before_a_commit_use_the_tools_of_the_environment():
    tools = [hook["entry"].split()[0] for hook in HOOKS]
    extra = [re.split(r"[^\w-]", requirement)[0] for requirement in PROJECT["optional-dependencies"]["dev"]]
    assert set(tools) <= set(extra)
    assert all(hook["language"] == "unsupported" for hook in HOOKS)  # nothing is installed, so nothing is pinned
    entries = [hook["entry"].replace(" --force-exclude", "") for hook in HOOKS]
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    for entry in entries:
        assert f".venv/bin/{entry} " in block


def test_the_citation_has_what_the_format_requires():
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= CITATION.keys()
    assert [author["name"] for author in CITATION["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert CITATION["title"].startswith(f"{PROJECT['name']}: ")
    for key, same in (("license", "license"), ("keywords", "keywords"), ("abstract", "description")):
        assert CITATION[key] == PROJECT[same]


def test_the_version_is_written_in_one_place():
    version = PROJECT["version"]
    assert chainrule.__version__ == metadata.version("chainrule") == version
    assert "version" not in CITATION
    pattern = re.compile(rf"(?<![\w.]){re.escape(version)}(?![\w.])")
    sources = [path for folder in ("framework", "plugins") for path in sorted((ROOT / folder).rglob("*.py*"))]
    places = [*sources, *(path for path in TOLD if path.name not in ("CHANGELOG.md", "CITATION.cff"))]
    assert [shown(path) for path in places if path.suffix != ".pyc" and pattern.search(path.read_text())] == [
        "pyproject.toml"
    ]


def test_the_changelog_begins_with_what_comes_next():
    first, *others = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", heading) for heading in others)


def test_no_address_is_given_that_the_project_does_not_have():
    assert "urls" not in PROJECT
    assert not {"url", "repository", "repository-code", "repository-artifact", "doi"} & CITATION.keys()
    for path in TOLD:
        for address in re.findall(r"(?:https?://|www\.|git@|mailto:)[^\s)>\"'`]*", path.read_text()):
            assert not re.search(r"chainrule|github|gitlab|codeberg|pypi|readthedocs", address), (
                f"{shown(path)}: {address}"
            )
