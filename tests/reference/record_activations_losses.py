"""Record what PyTorch computes for activations and losses; run with a Python that has it, after adding a component.

Usage: python tests/reference/record_activations_losses.py
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

torch.set_default_dtype(torch.float64)

Z = [-30.0, -7.5, -3.0, -1.5, -0.75, -0.1, -1e-3, 0.0, 1e-3, 0.1, 0.5, 1.0, 2.0, 3.0, 7.5, 19.5, 20.5, 30.0]
ACTIVATIONS = [
    ("identity", nn.Identity, {}),
    ("sigmoid", nn.Sigmoid, {}),
    ("relu", nn.ReLU, {}),
    ("tanh", nn.Tanh, {}),
    ("leaky_relu", nn.LeakyReLU, {}),
    ("leaky_relu", nn.LeakyReLU, {"negative_slope": -0.3}),
    ("elu", nn.ELU, {}),
    ("elu", nn.ELU, {"alpha": 0.4}),
    ("softplus", nn.Softplus, {}),
    ("softplus", nn.Softplus, {"beta": 2.5, "threshold": 5.0}),
    ("gelu", nn.GELU, {}),
    ("silu", nn.SiLU, {}),
]
# Outputs in rows, samples in columns.
ERRORS = [[-700.0, -2.0, -1.0, -0.3, -1e-5, 0.0, 1e-4, 0.7, 1.0, 1.5, 700.0], [0.5] * 11]
LOGITS = [[-800.0, -40.0, -2.0, -0.1, 0.0, 0.5, 3.0, 40.0], [1.0, -1.0, 0.5, 2.0, -0.7, 0.0, 3.0, 0.2]]
LABELS = [[0.0, 1.0, 1.0, 0.0, 0.5, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0, 0.25, 1.0, 0.0, 1.0]]
SCORES = [[0.0, 1.0, -2.0, 800.0, 3.0], [0.5, 1.0, 7.0, 0.0, -3.0], [-1.0, 1.0, 0.3, -800.0, 0.1]]
CLASSES = [[1.0, 0.0, 0.0, 1.0, 0.2], [0.0, 0.0, 1.0, 0.0, 0.5], [0.0, 1.0, 0.0, 0.0, 0.3]]
PROBABILITIES = [[0.0, 1.0, 0.3, 0.5, 1.0, 1e-14, 1e-9], [0.5, 0.2, 0.9, 1e-9, 0.99, 0.6, 1e-7]]
TRUTH = [[0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.25, 1.0, 1.0, 0.0, 0.0]]
PARTS = [[0.2, 1.0, 1e-14, 0.25], [0.3, 0.0, 0.4, 0.25], [0.5, 0.0, 0.6, 0.5]]


def activation(name, module, parameters):
    z = torch.tensor(Z, requires_grad=True)
    a = module(**parameters)(z)
    (slope,) = torch.autograd.grad(a.sum(), z)
    return {"name": name, "parameters": parameters, "z": Z, "a": a.tolist(), "slope": slope.tolist()}


def softmax():
    z = torch.tensor(SCORES, requires_grad=True)
    a = functional.softmax(z, dim=0)
    grad_a = torch.tensor(CLASSES) - 0.25
    (grad_z,) = torch.autograd.grad(a, z, grad_a)
    return {"z": SCORES, "a": a.tolist(), "grad_a": grad_a.tolist(), "grad_z": grad_z.tolist()}


def loss(name, function, y_pred, y_true, **parameters):
    x = torch.tensor(y_pred, requires_grad=True)
    value = function(x, torch.tensor(y_true))
    (gradient,) = torch.autograd.grad(value.sum(), x)
    return {
        "name": name,
        "parameters": parameters,
        "y_pred": y_pred,
        "y_true": y_true,
        "value": (value.sum(0) if value.ndim == 2 else value).tolist(),
        "gradient": gradient.tolist(),
    }


def cross_entropy(p, y):
    """Of probabilities, which PyTorch lacks: the first half of its binary cross-entropy."""
    return -(y * p.log().clamp(min=-100)).sum(0)


def main():
    zeros = [[0.0] * 11] * 2
    found = {
        "torch": torch.__version__,
        "activations": [activation(*case) for case in ACTIVATIONS],
        "softmax": softmax(),
        "losses": [
            loss("half_squared_error", lambda p, y: nn.MSELoss(reduction="none")(p, y) / 2, ERRORS, zeros),
            loss("absolute_error", nn.L1Loss(reduction="none"), ERRORS, zeros),
            loss("huber", nn.HuberLoss(reduction="none"), ERRORS, zeros),
            loss("huber", nn.HuberLoss(reduction="none", delta=0.4), ERRORS, zeros, delta=0.4),
            loss("binary_cross_entropy", nn.BCELoss(reduction="none"), PROBABILITIES, TRUTH),
            loss("categorical_cross_entropy", cross_entropy, PARTS, [row[:4] for row in CLASSES]),
        ],
        "paired": [
            loss("binary_cross_entropy", nn.BCEWithLogitsLoss(reduction="none"), LOGITS, LABELS),
            loss(
                "categorical_cross_entropy",
                lambda z, y: nn.CrossEntropyLoss(reduction="none")(z.T, y.T),
                SCORES,
                CLASSES,
            ),
        ],
    }
    Path(__file__).with_name("activations_losses.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
