"""What the documents say is run."""

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule import hookspecs
from chainrule.compose import settings_from
from chainrule.kinds import GROUPS
from chainrule.plugins import installed

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "plugins" / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_notebook_of_the_readme():
    (code,) = blocks(README, "python")
    names = {}
    exec(code, names)
    assert names["result"].settings.seed == 3
    assert len(names["step"].delta) == 3
    assert names["adam"].lr == 0.01


def test_the_errata_print_what_their_comments_say(capsys):
    (code,) = blocks((ROOT / "docs" / "article.md").read_text(), "python")
    exec(code, {})
    printed = [
        np.round([float(x) for x in re.findall(r"-?[\d.]+", out)], 4) for out in capsys.readouterr().out.split("]]")[:2]
    ]
    for values, comment in zip(printed, re.findall(r"# \[\[(.*)\]\]", code), strict=True):
        np.testing.assert_allclose(values, [float(x) for x in re.findall(r"-?[\d.]+", comment)], atol=1e-4)


COMMANDS = [
    line
    for text in (README, (ROOT / "docs" / "sweeps.md").read_text())
    for block in blocks(text, "sh")
    for line in block.splitlines()
    if line.startswith("chainrule ") and line.split()[1] not in ("resume", "report", "sync")
]


NEEDS = {
    "hydra/sweeper=stacked_optuna": "optuna",
    "hydra/launcher=submitit_slurm": "hydra_plugins.hydra_submitit_launcher",
    "hydra/launcher=submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "hydra/launcher=joblib": "hydra_plugins.hydra_joblib_launcher",
    "hydra/launcher=ray": "hydra_plugins.hydra_ray_launcher",
}


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_in_the_documents_compose(line):
    words = shlex.split(line, comments=True)[1:]
    for word, package in NEEDS.items():
        if word in words:
            pytest.importorskip(package)
    if "-m" not in words:
        settings_from(words)
        return
    if "hydra/sweeper=stacked_optuna" in words:
        words += ["hydra.sweeper.trials=1", "training.epochs=0", "tracking=none"]
    elif "hydra.sweeper.dry_run=true" not in words:
        words.append("hydra.sweeper.dry_run=true")
    subprocess.run([sys.executable, "-m", "chainrule", *words], check=True, capture_output=True)


def test_the_readme_lists_every_component():
    table = {}
    for row in re.findall(r"^\| (`.*?) \| (.*) \|$", README, re.MULTILINE):
        for group in re.findall(r"`(\w+)`", row[0]):
            table[group] = set(re.findall(r"\b[a-z]\w+\b", re.sub(r"\(.*?\)", "", row[1])))
    for group, kind in GROUPS.items():
        assert table[group] == set(installed().names(kind.name)), group


def test_the_example_plugin_of_the_guide_works():
    names = {}
    exec(blocks(GUIDE, "python")[0], names)
    (lion,) = names["chainrule_optimizers"]()
    settings = dataclasses.replace(settings_from(["training.epochs=30"]), optimizer=lion(lr=0.01))
    from chainrule.runs import prepare, train_stack

    losses = train_stack([prepare(settings)])[0].curves.values["train/loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_the_guide_names_every_hook():
    for name in vars(hookspecs):
        if name.startswith("chainrule_"):
            assert f"`{name}(" in GUIDE


def test_everything_importable_from_the_package_is_there():
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    assert set(chainrule.__all__) <= set(dir(chainrule))


def test_links_between_documents_lead_somewhere():
    for document in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*.md"),
        *ROOT.glob("experiments/**/*.md"),
    ]:
        for link in re.findall(r"\]\((?!http|#)([^)#]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document}: {link}"
