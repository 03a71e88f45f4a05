"""Record the learning rates that PyTorch's schedulers give from epoch to epoch: ``schedules.json``.

Run once, in an environment with PyTorch, and again only to record another version or other settings::

    python tests/reference/record_schedules.py

``rates`` hold the rate before the first epoch and after each; ReduceLROnPlateau is told a loss after each epoch, and
the rate of OneCycleLR, which counts the first epoch too, stays after the last.
Settings and defaults go by the names of chainrule's fields.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

LR, EPOCHS = 0.3, 60

# chainrule's name: PyTorch's classes, arguments that make them this schedule, settings to record.
SCHEDULES: dict[str, tuple[tuple[str, ...], dict[str, Any], list[dict[str, Any]]]] = {
    "constant": (("ConstantLR",), {"factor": 1.0}, [{}]),
    "step": (("StepLR",), {}, [{"step_size": 30}, {"step_size": 7, "gamma": 0.8}, {"step_size": 1, "gamma": 1.02}]),
    "exponential": (("ExponentialLR",), {}, [{"gamma": 0.99}, {"gamma": 0.5}, {"gamma": 1.05}]),
    "cosine": (("CosineAnnealingLR",), {"T_max": EPOCHS}, [{}, {"eta_min": 0.02}, {"eta_min": 0.5}]),
    "warmup_cosine": (
        ("LinearLR", "CosineAnnealingLR"),
        {},
        [
            {"warmup": 0.1},
            {"warmup": 0.5, "start_factor": 0.01, "eta_min": 0.02},
            {"warmup": 0.05, "start_factor": 1.0},
        ],
    ),
    "one_cycle": (
        ("OneCycleLR",),
        {"max_lr": LR, "total_steps": EPOCHS},
        [
            {},
            {"pct_start": 0.5, "div_factor": 10.0, "final_div_factor": 100.0},
            {"anneal_strategy": "linear"},
            {"pct_start": 0.123, "anneal_strategy": "linear", "div_factor": 0.5},
            {"pct_start": 0.0},
            {"pct_start": 1.0},
        ],
    ),
    "warm_restarts": (
        ("CosineAnnealingWarmRestarts",),
        {},
        [{"T_0": 10}, {"T_0": 7, "T_mult": 2, "eta_min": 0.02}, {"T_0": 1, "T_mult": 3}, {"T_0": 100}],
    ),
    "reduce_on_plateau": (
        ("ReduceLROnPlateau",),
        {},
        [
            {},
            {"patience": 0},
            {"patience": 2, "factor": 0.5},
            {"patience": 2, "factor": 0.5, "cooldown": 3},
            {"patience": 1, "factor": 0.5, "cooldown": 1, "threshold": 0.1},
            {"patience": 1, "factor": 0.5, "min_lr": 0.01, "threshold": 0.0},
            {"patience": 1, "factor": 0.2, "eps": 0.01},
            {"patience": 1, "factor": 0.0, "min_lr": 0.05},
        ],
    ),
}


def main() -> None:
    losses = problem()
    runs = [
        {"schedule": name, "settings": settings, "rates": rates(name, settings, losses)}
        for name, (_, _, settings_of_all) in SCHEDULES.items()
        for settings in settings_of_all
    ]
    head = {
        "torch": torch.__version__,
        "lr": LR,
        "epochs": EPOCHS,
        "defaults": {name: defaults(classes) for name, (classes, _, _) in SCHEDULES.items()},
        "losses": losses,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append('"runs": [\n' + ",\n".join(json.dumps(run) for run in runs) + "\n]")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    json.loads(text)
    Path(__file__).with_name("schedules.json").write_text(text)


def problem() -> list[float]:
    """Return the loss after each epoch: it falls, first fast, then so slowly that noise hides it, and twice rises."""
    rng = np.random.default_rng(1986)
    epoch = np.arange(EPOCHS)
    loss = 3 * 0.8**epoch + 0.4 + 0.05 * rng.random(EPOCHS)
    loss[20:26] += 0.3
    loss[45:] -= 0.2
    return loss.tolist()


def rates(name: str, settings: Mapping[str, Any], losses: Iterable[float]) -> list[float]:
    """Return the rate of the first epoch and of those after each other."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler = made(name, settings, optimizer)
    found = [optimizer.param_groups[0]["lr"]]
    for epoch, loss in enumerate(losses, 1):
        optimizer.step()
        if name == "one_cycle" and epoch == EPOCHS:  # it has no rate after the last epoch
            found.append(found[-1])
            break
        if name == "reduce_on_plateau":
            scheduler.step(loss)
        else:
            scheduler.step()
        found.append(optimizer.param_groups[0]["lr"])
    return found


def made(name: str, settings: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> Any:
    """Return PyTorch's scheduler."""
    classes, fixed, _ = SCHEDULES[name]
    if name != "warmup_cosine":
        return getattr(lr_scheduler, classes[0])(optimizer, **fixed, **settings)
    rest = dict(settings)
    warmup = round(rest.pop("warmup") * EPOCHS)
    eta_min = rest.pop("eta_min", 0.0)
    rise = lr_scheduler.LinearLR(optimizer, total_iters=warmup, **rest)
    fall = lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS - warmup, eta_min=eta_min)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[warmup])


def defaults(classes: Iterable[str]) -> dict[str, float]:
    """Return the default of every number."""
    found = {}
    for scheduler in classes:
        for name, parameter in inspect.signature(getattr(lr_scheduler, scheduler)).parameters.items():
            if isinstance(parameter.default, float | int):
                found[name] = parameter.default
    return found


if __name__ == "__main__":
    main()
