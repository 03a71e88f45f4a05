"""What the documents say is run."""

import dataclasses
import inspect
import re
import shlex
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

import forking
from chainrule.cli import main
from chainrule.components.contracts import Component
from chainrule.config.compose import compose_settings
from chainrule.engine.reason import Reason
from chainrule.registry import hookspecs, vetting
from chainrule.registry.kinds import GROUPS, KINDS
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Session, Watcher, Watchers
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule.testing import REQUIRED, check, described
from distributions import plugin_folder
from sizes import one_in
from sweeping import command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "plugins" / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_the_notebook_of_the_readme():
    code, outcomes = blocks(README, "python")
    names = {}
    exec(code, names)
    assert names["result"].settings.seed == 3
    assert [result.settings.optimizer.lr for result in names["rates"]] == [0.001, 0.01, 0.1]
    assert [result.settings.seed for result in names["seeds"]] == list(range(20))
    assert names["loaded"].reason == Reason.EPOCHS
    assert len(names["step"].delta) == 3
    assert names["adam"].lr == 0.01
    exec(outcomes, names)
    assert names["swept"].best.metrics["validation/loss"] == names["swept"].to_pandas()["validation/loss"].min()
    assert names["found"].table("ranking")[0]["median"] == names["found"].ranking[0].median


def test_the_readme_has_every_reason_in_the_words_of_the_code():
    table = README.partition("| reason | meaning |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    assert list(rows) == [reason.value for reason in Reason]
    for reason in Reason:
        assert reason.words.removeprefix(f"{reason}: ") in rows[reason]


def test_the_errata_print_what_their_comments_say(capsys):
    _, code = blocks((ROOT / "docs" / "article.md").read_text(), "python")
    exec(code, {})
    printed = [
        np.round([float(x) for x in re.findall(r"-?[\d.]+", out)], 4) for out in capsys.readouterr().out.split("]]")[:2]
    ]
    for values, comment in zip(printed, re.findall(r"# \[\[(.*)\]\]", code), strict=True):
        np.testing.assert_allclose(values, [float(x) for x in re.findall(r"-?[\d.]+", comment)], atol=1e-4)


STUDIES = [path.read_text() for path in sorted(ROOT.glob("experiments/**/*.md"))]
COMMANDS = [
    line
    for text in (README, (ROOT / "docs" / "sweeps.md").read_text())
    for block in blocks(text, "sh")
    for line in block.splitlines()
    if line.startswith("chainrule ") and line.split()[1] not in ("resume", "report", "sync")
]
COMMANDS += [yaml.safe_load(path.read_text())["command"] for path in sorted(ROOT.glob("conf/experiment/*.yaml"))]
# Within the text of studies, where a plugin called mine is the reader's.
COMMANDS += sorted(
    {
        " ".join(command.split())
        for text in STUDIES
        for command in re.findall(r"`(chainrule [^`]*experiment=[^`]*)`", text)
        if ",mine" not in command
    }
)
SCRIPTS = [line for text in STUDIES for block in blocks(text, "sh") for line in block.splitlines()]


NEEDS = {
    "export-onnx": "onnx",
    "hydra/sweeper=stacked_optuna": "optuna",
    "hydra/launcher=submitit_slurm": "hydra_plugins.hydra_submitit_launcher",
    "hydra/launcher=submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "hydra/launcher=joblib": "hydra_plugins.hydra_joblib_launcher",
    "hydra/launcher=ray": "hydra_plugins.hydra_ray_launcher",
}


@pytest.mark.parametrize("line", one_in(20, COMMANDS, ci=4))
def test_the_commands_in_the_documents_compose(line):
    words = shlex.split(line, comments=True)[1:]
    for word, package in NEEDS.items():
        if word in words:
            pytest.importorskip(package)
    if words[0] == "data":
        Path(words[1]).write_text("a,b,label\n" + "".join(f"{i},{i % 7},{i % 3}\n" for i in range(30)))
        command(*words)
        return
    if words[0] == "why":
        axes = ["-m", "seed=0,1", f"hydra.sweep.dir={words[1]}"] if "multirun" in words[1] else []
        if "=" not in words[1]:
            command(*(axes or [f"hydra.run.dir={words[1]}"]), "training.epochs=1", "tracking=none")
        command(*words, *(["training.epochs=1"] if "=" in words[1] else []), *([] if axes else ["--runs=0"]))
        return
    if words[0] in ("explain", "verify", "export", "export-onnx"):
        if words[1:]:
            command("training.epochs=1", "tracking=none", f"hydra.run.dir={words[1]}")
        command(*words)
        return
    if words[0] == "predict":
        command("training.epochs=1", "tracking=none", f"hydra.run.dir={words[1]}")
        Path(words[2]).write_text("x1,x2\n0.5,1\n")
        command(*words)
        assert Path(words[words.index("--out") + 1]).read_text().startswith("prediction\n")
        return
    if words[0] == "compare":
        # On one target, because Hydra takes its time to compose each contender on each of them.
        targets = words[words.index("--targets") + 1].split(",") if "--targets" in words else ["linear"]
        assert set(targets) <= set(installed().names("target"))
        words.append(f"--targets={targets[0]}")
        command(*words, "--budget=2", "--tuning-seeds=1", "--tunings=1", "--seeds=2", "--dry-run")
        return
    if "-m" not in words:
        for word in words:
            if word.startswith("target.path="):  # the task of a table stands in it
                Path(word.partition("=")[2]).write_text("rooms,price\n2,100.5\n3,200.5\n4,260.5\n")
        compose_settings(words)
        return
    if "hydra/sweeper=stacked_optuna" in words:
        words += ["hydra.sweeper.trials=1", "training.epochs=0", "tracking=none"]
    elif "hydra.sweeper.dry_run=true" not in words:
        words.append("hydra.sweeper.dry_run=true")
    command(*words)


@pytest.mark.parametrize("line", SCRIPTS)
def test_the_commands_of_the_studies_are_there(line):
    """What they show is tested in tests/experiments, by their small versions."""
    python, script, *arguments = shlex.split(line, comments=True)
    assert python == "python"
    assert forking.python(ROOT / script, *arguments, "--help").returncode == 0


def test_the_readme_lists_every_component():
    table = {}
    for row in re.findall(r"^\| (`.*?) \| (.*) \|$", README, re.MULTILINE):
        for group in re.findall(r"`(\w+)`", row[0]):
            table[group] = set(re.findall(r"\b[a-z]\w+\b", re.sub(r"\(.*?\)", "", row[1])))
    for group, kind in GROUPS.items():
        assert table[group] == set(installed().names(kind.name)), group


def guide():
    """What the code of the guide defines, all of it as one module."""
    module = types.ModuleType("chainrule_guide")
    sys.modules[module.__name__] = module
    for block in blocks(GUIDE, "python"):
        exec(block, vars(module))
    return module


def signature(function):
    """A function as the guide writes it."""
    names = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "out") and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return f"`{function.__name__}({', '.join(names)})`"


def test_the_plugins_of_the_guide_keep_their_contracts():
    module = guide()
    found = vetting.components(module)
    assert [cls.name for _, cls, reason in found if not reason] == ["shifted_relu", "sign_descent", "dropped", "damped"]
    for cls in (*(cls for _, cls, _ in found), module.ReGLU):
        assert not check(cls).failures


@pytest.mark.slow
def test_the_idea_of_the_guide_becomes_a_comparison_and_a_package(tmp_path, capsys):
    (plugin_folder(tmp_path) / "signum.py").write_text(blocks(GUIDE, "python")[0])
    typed = [shlex.split(line, comments=True)[1:] for line in blocks(GUIDE, "sh")[0].splitlines()]
    assert [words[0] for words in typed] == ["check", "-m", "compare", "plugins", "new-plugin"]
    few = {"-m": ["training.epochs=2", "tracking=none"], "compare": ["--targets=sine", "--dry-run", "--budget=2"]}
    said = [command(*words, *few.get(words[0], [])).stdout for words in typed]
    assert said[0].startswith("optimizer=signum: ")
    assert "optimizer=signum" in said[1]
    assert "signum" in said[2]
    assert said[3].startswith("plugins/signum.py: ok\n")
    assert said[4].startswith("chainrule-signum holds the optimizer signum.")


def test_the_example_plugin_of_the_guide_learns():
    settings = dataclasses.replace(compose_settings(["training.epochs=30"]), optimizer=guide().SignDescent(lr=0.01))
    losses = train_stack([prepare(settings)])[0].curves.values["train/loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_the_watcher_of_the_guide_rings(capsys):
    assert guide().chainrule_watchers(Session(interactive=False)) == []
    (bell,) = guide().chainrule_watchers(Session(interactive=True))
    Watchers([bell]).tell("finished", None)
    assert capsys.readouterr().out == "\a"


def test_the_guide_has_every_hook_with_its_signature():
    rows = re.findall(r"^\| (`chainrule_\w+\(.*?\)`) \|", GUIDE, re.MULTILINE)
    assert sorted(rows) == sorted(map(signature, hookspecs.HOOKS.values()))


def test_the_guide_has_every_event_with_its_signature():
    methods = inspect.getmembers(Watcher, inspect.isfunction)
    events = [signature(event) for name, event in methods if not name.startswith("_")]
    table = GUIDE[GUIDE.index("| event | when |") :]
    assert sorted(re.findall(r"^\| (`\w+\(.*?\)`) \|", table, re.MULTILINE)) == sorted(events)


def test_the_guide_has_every_method_of_every_contract():
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \| (.*) \|$", GUIDE, re.MULTILINE))
    for kind in KINDS.values():
        members = {name: member for name, member in vars(kind.contract).items() if not name.startswith("_abc")}
        declared = kind.contract.__annotations__.keys() - Component.__annotations__
        for name, member in members.items():
            if inspect.isfunction(member) and (name == "__call__" or not name.startswith("_")):
                assert signature(member) in rows[kind.contract.__name__]
            elif isinstance(member, property) or name in declared:
                assert f"`{name}`" in rows[kind.contract.__name__], name


def test_the_guide_names_every_check():
    rows = re.findall(r"^\| (\w+) \| (`.*`) \| (\d+) \|$", GUIDE, re.MULTILINE)
    assert {kind: int(number) for kind, _, number in rows} == REQUIRED
    for kind, checks, _ in rows:
        named = re.findall(r"`(\w+)`", checks)
        assert list(described()[kind])[-len(named) :] == named
        assert all(f"`{name}`" in GUIDE for name in described()[kind])


def test_the_commands_of_the_guide_are_commands():
    lines = [line for block in blocks(GUIDE, "sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("chainrule ")]
    assert {words[1] for words in commands} - {"-m"} <= set(main._COMMANDS)


def test_links_between_documents_lead_somewhere():
    for document in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*.md"),
        *ROOT.glob("experiments/**/*.md"),
    ]:
        prose = re.sub(r"```.*?```|`[^`\n]*`(?!\])", "", document.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\((?!http|#)([^)#]+)\)", prose):
            assert (document.parent / link).exists(), f"{document}: {link}"
