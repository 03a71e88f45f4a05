"""Record what JAX computes for activations that learn or are newer; run with a Python that has it.

Functions are those of ``jax.nn`` where it has them, else the formula of the paper; derivatives are JAX's own.

Usage: python tests/reference/record_further_activations.py
"""

import json
from pathlib import Path

import jax
from jax import nn
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)

Z = [-30.0, -7.5, -3.1, -1.5, -0.75, -0.1, -1e-3, 1e-3, 0.1, 0.5, 1.0, 2.0, 2.9, 7.5, 19.5, 30.0]
ACTIVATIONS = [
    ("mish", nn.mish, {}),
    ("selu", nn.selu, {}),
    ("hard_swish", nn.hard_swish, {}),
    ("prelu", lambda z, negative_slope: nn.leaky_relu(z, negative_slope), {"negative_slope": 0.25}),
    ("prelu", lambda z, negative_slope: nn.leaky_relu(z, negative_slope), {"negative_slope": -0.7}),
    ("swish", lambda z, beta: z * nn.sigmoid(beta * z), {"beta": 1.0}),
    ("swish", lambda z, beta: z * nn.sigmoid(beta * z), {"beta": -2.5}),
    ("sine", lambda z, omega: jnp.sin(omega * z), {"omega": 1.0}),
    ("sine", lambda z, omega: jnp.sin(omega * z), {"omega": 30.0}),
    ("snake", lambda z, alpha: z + jnp.sin(alpha * z) ** 2 / alpha, {"alpha": 1.0}),
    ("snake", lambda z, alpha: z + jnp.sin(alpha * z) ** 2 / alpha, {"alpha": 0.3}),
]


def record(name, function, parameters):
    z = jnp.array(Z)
    case = {"name": name, "parameters": parameters, "z": Z, "a": function(z, **parameters).tolist()}
    case["slope"] = jax.vmap(jax.grad(lambda x: function(x, **parameters)))(z).tolist()
    for field, value in parameters.items():
        by_field = jax.vmap(jax.grad(lambda p, x, field=field: function(x, **{field: p})), (None, 0))
        case[f"by {field}"] = by_field(value, z).tolist()
    return case


content = {"jax": jax.__version__, "activations": [record(*case) for case in ACTIVATIONS]}
Path(__file__).with_name("further_activations.json").write_text(json.dumps(content, indent=1) + "\n")
