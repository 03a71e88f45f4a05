"""Record how optimizers of other libraries move, those that PyTorch lacks among them: ``further_optimizers.json``.

Run once, and again only to record other versions or settings, in an environment with torch, pytorch_optimizer,
prodigyopt, schedulefree, jax and optax::

    python tests/reference/record_further_optimizers.py

Three problems: the given gradients of ``record_optimizers.py``; given gradients of one layer, for what knows layers;
and a bowl, for what evaluates gradients elsewhere. Settings go by the names of chainrule's fields.
"""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import jax
import numpy as np
import optax
import prodigyopt
import pytorch_optimizer
import schedulefree
import torch
from record_optimizers import RECORDED_STEPS, one_a_line, problem

LIBRARIES = ("torch", "pytorch_optimizer", "prodigyopt", "schedulefree", "jax", "optax")
INPUTS, UNITS, LAYER_STEPS, BOWL_STEPS = 4, 3, 12, 20
Rows = list[list[float]]

# chainrule's name, settings, library, and the same optimizer there.
ALONG = [
    ("lion", {}, "pytorch_optimizer", lambda p: pytorch_optimizer.Lion(p, lr=1e-4, foreach=False)),
    ("lion", {"lr": 0.02, "beta1": 0.7, "beta2": 0.8, "weight_decay": 0.3}, "pytorch_optimizer",
     lambda p: pytorch_optimizer.Lion(p, lr=0.02, betas=(0.7, 0.8), weight_decay=0.3, weight_decouple=True)),
    ("lion", {"lr": 0.01, "weight_decay": 1e-3}, "optax", optax.lion(0.01)),
    ("radam", {}, "torch", lambda p: torch.optim.RAdam(p, foreach=False)),
    ("radam", {"lr": 0.02, "beta1": 0.7, "beta2": 0.9, "eps": 1e-3, "weight_decay": 0.3}, "torch",
     lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.7, 0.9), eps=1e-3, weight_decay=0.3, foreach=False)),
    ("radam", {"beta2": 0.5}, "torch", lambda p: torch.optim.RAdam(p, betas=(0.9, 0.5), foreach=False)),
    ("radam", {"eps": 0.0}, "optax", optax.radam(1e-3, eps=0.0)),
    ("adabound", {}, "pytorch_optimizer", lambda p: pytorch_optimizer.AdaBound(p, foreach=False)),
    ("adabound",
     {"lr": 0.02, "final_lr": 0.5, "gamma": 0.1, "beta1": 0.7, "beta2": 0.8, "eps": 1e-3, "weight_decay": 0.3},
     "pytorch_optimizer",
     lambda p: pytorch_optimizer.AdaBound(
         p, lr=0.02, final_lr=0.5, gamma=0.1, betas=(0.7, 0.8), eps=1e-3, weight_decay=0.3, weight_decouple=False
     )),
    ("sgdw", {"weight_decay": 0.3}, "pytorch_optimizer",
     lambda p: pytorch_optimizer.SGDW(p, lr=1e-3, momentum=0.9, weight_decay=0.3)),
    ("sgdw", {"lr": 0.02, "momentum": 0.5, "nesterov": True}, "pytorch_optimizer",
     lambda p: pytorch_optimizer.SGDW(p, lr=0.02, momentum=0.5, weight_decay=1e-2, nesterov=True)),
    ("prodigy", {}, "prodigyopt", lambda p: prodigyopt.Prodigy(p)),
    ("prodigy",
     {"lr": 0.5, "beta1": 0.7, "beta2": 0.8, "eps": 1e-3, "weight_decay": 0.3, "d0": 1e-3, "growth": 2.0},
     "prodigyopt",
     lambda p: prodigyopt.Prodigy(
         p, lr=0.5, betas=(0.7, 0.8), eps=1e-3, weight_decay=0.3, d0=1e-3, d_coef=2.0
     )),
    ("prodigy", {"bias_correction": True}, "prodigyopt", lambda p: prodigyopt.Prodigy(p, use_bias_correction=True)),
    ("prodigy", {"bias_correction": True, "d0": 1e-3}, "optax", optax.contrib.prodigy(1.0, estim_lr0=1e-3)),
    ("schedule_free", {"lr": 0.05}, "schedulefree", lambda p: schedulefree.SGDScheduleFree(p, lr=0.05, foreach=False)),
    ("schedule_free", {"lr": 0.02, "beta": 0.6, "weight_decay": 0.3}, "schedulefree",
     lambda p: schedulefree.SGDScheduleFree(p, lr=0.02, momentum=0.6, weight_decay=0.3, foreach=False)),
    ("schedule_free", {"lr": 0.05, "beta": 0.8}, "optax", optax.contrib.schedule_free_sgd(0.05, b1=0.8)),
]  # fmt: skip
LAYERS = [
    ("shampoo", {}, "pytorch_optimizer", lambda p: pytorch_optimizer.Shampoo(p, lr=0.1)),
    ("shampoo", {"lr": 0.02, "eps": 0.3}, "pytorch_optimizer",
     lambda p: pytorch_optimizer.Shampoo(p, lr=0.02, matrix_eps=0.3)),
    # With Nesterov's momentum optax corrects two averages for their start, and PyTorch's Muon computes in bfloat16.
    ("muon", {"lr": 0.02, "momentum": 0.9, "nesterov": False, "weight_decay": 0.3, "eps": 1e-12}, "optax",
     optax.contrib.muon(0.02, beta=0.9, nesterov=False, weight_decay=0.3, eps=1e-12)),
]  # fmt: skip


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(1987)
    layer = rng.normal(size=(UNITS, 1 + INPUTS)), rng.normal(size=(LAYER_STEPS, UNITS, 1 + INPUTS))
    root = rng.normal(size=(5, 5))
    bowl = root @ root.T / 5, rng.normal(size=5), rng.normal(size=5)
    head = {"versions": {library: metadata.version(library) for library in LIBRARIES}}
    parts = {
        "layer": {"start": layer[0].tolist(), "gradients": layer[1].tolist()},
        "bowl": dict(zip(("curvature", "slope", "start"), (part.tolist() for part in bowl), strict=True)),
    }
    found = {
        "along": [{**titled(*row), "theta": rows, **kept} for *row, (rows, kept) in map(along, ALONG)],
        "layers": [{**titled(*row), "theta": rows} for *row, rows in (of_layer(*row, *layer) for row in LAYERS)],
        "elsewhere": [{**titled(*row), "theta": rows} for *row, rows in elsewhere(*bowl)],
        "directions": directions(*bowl),
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**head, **parts}.items()]
    lines += [f"{json.dumps(key)}: {one_a_line(value)}" for key, value in found.items()]
    Path(__file__).with_name("further_optimizers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def titled(name: str, settings: dict[str, float], library: str) -> dict[str, object]:
    return {"optimizer": name, "library": library, "settings": settings}


def along(case: tuple) -> tuple:
    """Return the parameters after the recorded steps along the gradients of ``record_optimizers.py``."""
    name, settings, library, made = case
    start, gradients = problem()
    if not callable(made):
        rows = [by_optax(made, start, gradients, optax.contrib.schedule_free_eval_params)]
        rows = [[at[step - 1] for step in RECORDED_STEPS] for at in rows[0]]
        return name, settings, library, (rows[0], {"kept": rows[1]} if name == "schedule_free" else {})
    theta = torch.tensor(start, requires_grad=True)
    optimizer = made([theta])
    rows, kept = [], []
    for step, gradient in enumerate(gradients, 1):
        if name == "schedule_free":
            optimizer.train()
        theta.grad = torch.tensor(gradient)
        optimizer.step()
        if step in RECORDED_STEPS:
            rows.append(theta.tolist())
            if name == "schedule_free":
                optimizer.eval()
                kept.append(theta.tolist())
    return name, settings, library, (rows, {"kept": kept} if kept else {})


def by_optax(
    transformation: optax.GradientTransformation, start: np.ndarray, gradients: np.ndarray, evaluated: Callable
) -> tuple[Rows, Rows]:
    """Return the parameters after each step, and those that a schedule-free optimizer recommends."""
    theta = jax.numpy.asarray(start)
    state, rows, kept = transformation.init(theta), [], []
    for gradient in gradients:
        updates, state = transformation.update(jax.numpy.asarray(gradient), state, theta)
        theta = optax.apply_updates(theta, updates)
        rows.append(np.asarray(theta).tolist())
        if hasattr(state, "z"):
            kept.append(np.asarray(evaluated(state, theta)).tolist())
    return rows, kept or rows


def of_layer(name: str, settings: dict, library: str, made: object, start: np.ndarray, gradients: np.ndarray) -> tuple:
    """Return the block ``(units, 1 + inputs)`` after each step; optax moves the weights alone."""
    if not callable(made):  # its matrices are inputs by outputs
        (rows, _) = by_optax(made, start[:, 1:].T, gradients[:, :, 1:].mT, lambda *_: None)
        return name, settings, library, [np.transpose(row).tolist() for row in rows]
    weights, biases = (torch.tensor(part, requires_grad=True) for part in (start[:, 1:], start[:, 0]))
    optimizer, rows = made([weights, biases]), []
    for gradient in gradients:
        weights.grad, biases.grad = torch.tensor(gradient[:, 1:]), torch.tensor(gradient[:, 0])
        optimizer.step()
        rows.append(np.column_stack([biases.detach(), weights.detach()]).tolist())
    return name, settings, library, rows


def elsewhere(curvature: np.ndarray, slope: np.ndarray, start: np.ndarray) -> list[tuple]:
    """Return the ways of SAM on the bowl ``theta^T curvature theta / 2 + slope theta``."""
    settings = {"lr": 0.1, "rho": 0.2, "momentum": 0.6, "weight_decay": 0.1}
    theta = torch.tensor(start, requires_grad=True)
    matrix, vector = torch.tensor(curvature), torch.tensor(slope)
    optimizer = pytorch_optimizer.SAM([theta], torch.optim.SGD, rho=0.2, lr=0.1, momentum=0.6, weight_decay=0.1)
    rows = []
    for _ in range(BOWL_STEPS):
        theta.grad = (matrix @ theta + vector).detach()
        optimizer.first_step()
        theta.grad = (matrix @ theta + vector).detach()
        optimizer.second_step()
        rows.append(theta.tolist())
    inner = optax.chain(optax.contrib.normalize(), optax.sgd(0.3))
    sam = optax.contrib.sam(optax.sgd(0.05), inner, opaque_mode=True)
    at = jax.numpy.asarray(start)
    state, others = sam.init(at), []
    for _ in range(BOWL_STEPS):
        updates, state = sam.update(curvature @ at + slope, state, at, grad_fn=lambda p, _: curvature @ p + slope)
        at = optax.apply_updates(at, updates)
        others.append(np.asarray(at).tolist())
    return [
        ("sam", settings, "pytorch_optimizer", rows),
        ("sam", {"lr": 0.05, "rho": 0.3, "momentum": 0.0}, "optax", others),
    ]


def directions(curvature: np.ndarray, slope: np.ndarray, start: np.ndarray) -> list[dict[str, object]]:
    """Return the directions of L-BFGS with a memory of 3 at given places."""
    rng = np.random.default_rng(1988)
    places = start + np.cumsum(rng.normal(size=(8, 5)), axis=0)
    gradients = places @ curvature + slope
    scaling = optax.scale_by_lbfgs(memory_size=3)
    state, found = scaling.init(jax.numpy.asarray(places[0])), []
    for place, gradient in zip(places, gradients, strict=True):
        direction, state = scaling.update(jax.numpy.asarray(gradient), state, jax.numpy.asarray(place))
        found.append({
            "place": place.tolist(), "gradient": gradient.tolist(), "direction": (-np.asarray(direction)).tolist()
        })  # fmt: skip
    return found


if __name__ == "__main__":
    main()
