"""Record how PyTorch's optimizers move six parameters along sixty given gradients: ``optimizers.json``.

Run once, in an environment with PyTorch, and again only to record another version or other settings::

    python tests/reference/record_optimizers.py

The gradients do not depend on the parameters, so that errors show where they arise. They change signs, are sometimes
exactly 0 and lie between 1e-4 and 1e2. Settings and defaults go by the names of chainrule's fields.
"""

import inspect
import json
from pathlib import Path

import numpy as np
import torch

STEPS, PARAMETERS = 60, 6
RECORDED_STEPS = [1, 2, 3, 4, 5, *range(10, STEPS + 1, 5)]

# chainrule's name: PyTorch's class, arguments that make it this optimizer, settings to record besides the defaults.
OPTIMIZERS = {
    "gradient_descent": ("SGD", {}, [{"lr": 0.05}, {"lr": 0.02, "weight_decay": 0.3}]),
    "momentum": (
        "SGD",
        {"momentum": 0.9},
        [
            {"lr": 0.02, "momentum": 0.5, "dampening": 0.25},
            {"lr": 0.02, "weight_decay": 0.3},
            {"lr": 0.02, "momentum": 0.0},
        ],
    ),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}, [{"lr": 0.02, "momentum": 0.7, "weight_decay": 0.3}]),
    "adagrad": (
        "Adagrad",
        {},
        [
            {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.3},
            {"initial_accumulator_value": 0.5, "eps": 1e-3},
        ],
    ),
    "adadelta": (
        "Adadelta",
        {},
        [{"lr": 2.0, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.3}, {"rho": 0.0}, {"rho": 1.0}],
    ),
    "rmsprop": (
        "RMSprop",
        {},
        [
            {"centered": True},
            {"momentum": 0.9},
            {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.3, "momentum": 0.5, "centered": True},
        ],
    ),
    "adam": (
        "Adam",
        {},
        [
            {"amsgrad": True},
            {"weight_decay": 0.3},
            {"lr": 0.05, "beta1": 0.7, "beta2": 0.8, "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True},
            {"beta1": 0.0, "beta2": 0.0},
        ],
    ),
    "adamw": (
        "AdamW",
        {},
        [
            {"amsgrad": True},
            {"weight_decay": 0.0},
            {"lr": 0.05, "beta1": 0.7, "beta2": 0.8, "eps": 1e-3, "weight_decay": 0.5, "amsgrad": True},
        ],
    ),
    "nadam": (
        "NAdam",
        {},
        [
            {"weight_decay": 0.3},
            {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True},
            {"lr": 0.05, "beta1": 0.7, "beta2": 0.8, "eps": 1e-3, "momentum_decay": 0.1},
            {"momentum_decay": 0.0},
        ],
    ),
    "rprop": (
        "Rprop",
        {},
        [{"lr": 0.1, "eta1": 0.3, "eta2": 1.5, "step_size_min": 1e-3, "step_size_max": 0.5}],
    ),
}
PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("eta1", "eta2"),
    "step_sizes": ("step_size_min", "step_size_max"),
}


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    start, gradients = problem()
    runs = [
        {"optimizer": name, "settings": settings, "theta": trajectory(name, settings, start, gradients)}
        for name, (_, _, others) in OPTIMIZERS.items()
        for settings in [{}, *others]
    ]
    head = {
        "torch": torch.__version__,
        "defaults": {name: defaults(torch_class) for name, (torch_class, _, _) in OPTIMIZERS.items()},
        "recorded_steps": RECORDED_STEPS,
        "start": start.tolist(),
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines += [f'"gradients": {one_a_line(gradients.tolist())}', f'"runs": {one_a_line(runs)}']
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    json.loads(text)
    Path(__file__).with_name("optimizers.json").write_text(text)


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Return the first parameters and the gradients of all steps."""
    rng = np.random.default_rng(1986)
    start = rng.uniform(-2, 2, PARAMETERS)
    size = 10 ** rng.uniform(-4, 2, (STEPS, PARAMETERS))
    sign = np.where(rng.random((STEPS, PARAMETERS)) < 0.3, -1.0, 1.0).cumprod(axis=0)
    gradients = sign * size
    gradients[rng.random((STEPS, PARAMETERS)) < 0.1] = 0
    gradients[:, 0] = size[:, 0]  # always one sign: rprop's steps reach the largest
    gradients[:, 1] = size[:, 1] * (-1) ** np.arange(STEPS)  # never twice the same: the smallest
    gradients[:3, 2] = 0  # starts without a gradient
    return start, gradients


def trajectory(name: str, settings: dict[str, float], start: np.ndarray, gradients: np.ndarray) -> list[list[float]]:
    """Return the parameters after each of the recorded steps."""
    torch_class, fixed, _ = OPTIMIZERS[name]
    theta = torch.tensor(start, requires_grad=True)
    arguments = {**fixed, **paired(settings, defaults(torch_class))}
    optimizer = getattr(torch.optim, torch_class)([theta], foreach=False, **arguments)
    rows = []
    for step, gradient in enumerate(gradients, 1):
        theta.grad = torch.tensor(gradient)
        optimizer.step()
        if step in RECORDED_STEPS:
            rows.append(theta.tolist())
    return rows


def defaults(torch_class: str) -> dict[str, float]:
    """Return the default of every number or switch, pairs such as ``betas`` taken apart."""
    found = {}
    for name, parameter in inspect.signature(getattr(torch.optim, torch_class)).parameters.items():
        if name in PAIRS:
            found.update(zip(PAIRS[name], parameter.default, strict=True))
        elif isinstance(parameter.default, float | int):
            found[name] = parameter.default
    return found


def paired(settings: dict[str, float], default: dict[str, float]) -> dict[str, float | tuple[float, ...]]:
    """Return ``settings`` as PyTorch takes them, pairs put together."""
    arguments: dict[str, float | tuple[float, ...]] = dict(settings)
    for pair, names in PAIRS.items():
        if any(name in settings for name in names):
            arguments[pair] = tuple(arguments.pop(name, default[name]) for name in names)
    return arguments


def one_a_line(values: list[object]) -> str:
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"


if __name__ == "__main__":
    main()
