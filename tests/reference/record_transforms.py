"""Record what optax makes of gradients and parameters: ``transforms.json``.

Run once, in an environment with optax, and again only to record another version or other settings::

    python tests/reference/record_transforms.py

Each run follows the same gradients from the same parameters of a 2-3-1 network, in chainrule's order: of each layer the
bias and the weights of one unit after another. ``thetas`` are the parameters after each step, ``kept`` those that are
to be measured, where they are others.
"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

WIDTHS, STEPS, LR, MOMENTUM = (2, 3, 1), 10, 0.1, 0.9
Tree = dict[str, Any]

jax.config.update("jax_enable_x64", True)


def tree(flat: Any) -> Tree:
    """Return the layers of flat parameters: ``w1 (units, units before)``, ``b1`` and so on."""
    found, start = {}, 0
    for layer, (before, units) in enumerate(pairwise(WIDTHS), 1):
        block = jnp.asarray(flat[start : (start := start + units * (1 + before))]).reshape(units, 1 + before)
        found |= {f"b{layer}": block[:, 0], f"w{layer}": block[:, 1:]}
    return found


def flat(layers: Tree) -> list[float]:
    """Return the parameters of all layers as chainrule has them."""
    blocks = [jnp.column_stack([layers[f"b{layer}"], layers[f"w{layer}"]]) for layer in range(1, len(WIDTHS))]
    return np.concatenate([np.ravel(block) for block in blocks]).tolist()


def weights(layers: Tree) -> Tree:
    """Return which parameters are weights."""
    return {name: name.startswith("w") for name in layers}


def layer_by_layer(limit: float) -> optax.GradientTransformation:
    """Return clipping by the norm of each layer."""
    clip = optax.clip_by_global_norm(limit)
    labels = {f"{part}{layer}": f"layer {layer}" for layer in range(1, len(WIDTHS)) for part in "bw"}
    return optax.multi_transform(dict.fromkeys(labels.values(), clip), labels)


def sgd(*before: optax.GradientTransformation) -> optax.GradientTransformation:
    """Return gradient descent with momentum behind what is done to gradients."""
    return optax.chain(*before, optax.sgd(LR, momentum=MOMENTUM))


def walk(
    optimizer: optax.GradientTransformation,
    theta: Sequence[float],
    gradients: Sequence[Sequence[float]],
    project: Callable[[Tree], Tree] = lambda layers: layers,
) -> list[list[float]]:
    """Return the parameters after each step."""
    layers, places = tree(np.array(theta)), []
    state = optimizer.init(layers)
    for gradient in gradients:
        updates, state = optimizer.update(tree(np.array(gradient)), state, layers)
        layers = project(optax.apply_updates(layers, updates))
        places.append(flat(layers))
    return places


def shortened(limit: float) -> Callable[[Tree], Tree]:
    """Return the projection of the weights into each unit onto a ball."""
    project = jax.vmap(lambda row: optax.projections.projection_l2_ball(row, limit))
    return lambda layers: {name: project(part) if name.startswith("w") else part for name, part in layers.items()}


def averages(places: Sequence[Sequence[float]], decay: float) -> list[list[float]]:
    """Return the moving average after each step, which begins at the first."""
    found = [jnp.array(places[0])]
    for place in places[1:]:
        found.append(optax.incremental_update(jnp.array(place), found[-1], 1 - decay))
    return [each.tolist() for each in found]


def looking_ahead(
    theta: Sequence[float], gradients: Sequence[Sequence[float]], period: int, share: float
) -> dict[str, list[list[float]]]:
    """Return the fast parameters after each step, and the slow ones, which are kept."""
    optimizer = optax.lookahead(optax.sgd(LR, momentum=MOMENTUM), period, share)
    params = optax.LookaheadParams.init_synced(tree(np.array(theta)))
    state = optimizer.init(params)
    found: dict[str, list[list[float]]] = {"thetas": [], "kept": []}
    for gradient in gradients:
        updates, state = optimizer.update(tree(np.array(gradient)), state, params)
        params = optax.apply_updates(params, updates)
        found["thetas"].append(flat(params.fast))
        found["kept"].append(flat(params.slow))
    return found


def main() -> None:
    rng = np.random.default_rng(2019)
    size = sum(units * (1 + before) for before, units in pairwise(WIDTHS))
    theta = rng.normal(size=size).tolist()
    gradients = (rng.normal(size=(STEPS, size)) * 10 ** rng.uniform(-1, 0.5, (STEPS, 1))).tolist()
    plain = walk(sgd(), theta, gradients)
    runs: list[dict[str, Any]] = []

    def add(transform: str, settings: dict[str, Any], optimizer: str = "momentum", **found: Any) -> None:
        runs.append({"transform": transform, "settings": settings, "optimizer": optimizer, **found})

    def both(transform: str, settings: dict[str, Any], *before: Any, project: Any = lambda layers: layers) -> None:
        add(transform, settings, thetas=walk(sgd(*before), theta, gradients, project))

    for limit in (0.5, 3.0):
        both("clip", {"limit": limit}, optax.clip_by_global_norm(limit))
        both("clip_layer", {"limit": limit}, layer_by_layer(limit))
        both("clip_value", {"limit": limit}, optax.clip(limit))
        both("max_norm", {"limit": limit}, project=shortened(limit))
    both("centralization", {}, optax.masked(optax.centralize(), weights))
    for biases in (False, True):
        mask = None if biases else weights
        both("l2", {"strength": 0.3, "biases": biases}, optax.add_decayed_weights(0.3, mask))
        settings = {"decay": 0.3, "biases": biases}
        adamw = optax.adamw(LR, weight_decay=0.3, mask=mask)
        add("decoupled_decay", settings, "adam", thetas=walk(adamw, theta, gradients))
    for decay in (0.0, 0.9):
        add("ema", {"decay": decay}, thetas=plain, kept=averages(plain, decay))
    for period, share in ((5, 0.5), (3, 0.8), (1, 0.5)):
        add("lookahead", {"k": period, "alpha": share}, **looking_ahead(theta, gradients, period, share))
    head = {"optax": optax.__version__, "widths": WIDTHS, "lr": LR, "momentum": MOMENTUM}
    lines = [
        f"{json.dumps(key)}: {json.dumps(value)}"
        for key, value in {**head, "theta": theta, "gradients": gradients}.items()
    ]
    lines.append('"runs": [\n' + ",\n".join(json.dumps(run) for run in runs) + "\n]")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    json.loads(text)
    Path(__file__).with_name("transforms.json").write_text(text)


if __name__ == "__main__":
    main()
