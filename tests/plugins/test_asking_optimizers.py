"""Every built-in optimizer that is random, evaluates or recommends: the same bytes in any stack, process and part."""

import dataclasses
from pathlib import Path

import joblib
import numpy as np
import pytest

from chainrule.components.arguments import asked
from chainrule.components.contracts import Optimizer
from chainrule.config.compose import compose_settings
from chainrule.records.manifest import MANIFEST, WEIGHTS
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule_optimizers import chainrule_optimizers
from sizes import one_in
from stacks import LEAVING, everything, left_at
from sweeping import PLACE, command, contents


def asks(cls):
    """Whether an optimizer does more than a step along the gradient."""
    return {*asked(cls, "update"), *asked(cls, "init")} & {"problem", "rng"} or cls.kept is not Optimizer.kept


ASKING = {cls.name: cls for cls in chainrule_optimizers() if asks(cls)}
every = pytest.mark.parametrize("cls", ASKING.values(), ids=ASKING)


def runs(cls, *overrides, count=4):
    """Prepared runs that differ in their seeds, and in their rates where they have one."""
    base = compose_settings(["training.epochs=5", "data.samples=60", *overrides])
    for seed in range(count):
        rate = {cls.rate: getattr(cls(), cls.rate) * (1 + seed / 8)} if cls.rate else {}
        yield prepare(dataclasses.replace(base, seed=seed, optimizer=cls(**rate)))


def test_there_are_some_of_each():
    found = {name: {*asked(cls, "update")} for name, cls in ASKING.items()}
    assert {"sam", "lbfgs", "levenberg_marquardt"} <= {name for name, names in found.items() if "problem" in names}
    assert {"sgld", "evolution"} <= {name for name, names in found.items() if "rng" in names}
    assert "schedule_free" in found


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.batch_size=null"],
        ["training.batch_size=null", "training.dtype=float32"],
        ["training.batch_size=1"],
        ["training.batch_size=16", "training.dtype=float32"],
        ["training.batch_size=16", "schedule=cosine"],
        ["training.batch_size=16", "target=wine", "network.hidden=[3]", "output=softmax",
         "loss=categorical_cross_entropy"],
        ["training.batch_size=20", "target=sine", "network.hidden=[8]", "activation=tanh"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("cls", one_in(3, [pytest.param(cls, id=name) for name, cls in ASKING.items()]))
def test_a_run_in_a_stack_that_others_leave_has_the_bytes_and_evaluations_of_the_run_alone(cls, overrides):
    if "schedule=cosine" in overrides and not cls.rate:
        pytest.skip("no rate to be scheduled")
    together = train_stack(list(runs(cls, *overrides)), prune=left_at(LEAVING))
    for number, alone in enumerate(runs(cls, *overrides)):
        (result,) = train_stack([alone], prune=left_at({0: LEAVING.get(number)}))
        assert everything(result) == everything(together[number])
        assert np.isfinite(result.theta).all()


def test_other_processes_leave_the_same_bytes():
    stacks = [list(runs(cls, "training.batch_size=16")) for cls in ASKING.values()]
    elsewhere = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(train_stack)(stack) for stack in stacks)
    for theirs, stack in zip(elsewhere, stacks, strict=True):
        assert [everything(result) for result in theirs] == [everything(result) for result in train_stack(stack)]


@pytest.mark.slow
def test_a_resumed_sweep_has_the_bytes_of_one_that_was_not_interrupted():
    """Half of the records are lost, and what is trained again lies in smaller stacks."""
    command("-m", f"optimizer={','.join(ASKING)}", "seed=range(4)", "training.epochs=3", "training.batch_size=16",
            "tracking=none", PLACE)  # fmt: skip
    before = contents("sweep")
    lost = sorted(Path("sweep").glob(f"*/{MANIFEST}"))[::2]
    assert len(lost) == 2 * len(ASKING)
    for manifest in lost:
        manifest.unlink()
        (manifest.parent / WEIGHTS).unlink()
    command("resume", "sweep")
    assert contents("sweep") == before
