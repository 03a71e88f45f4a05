"""The script of somebody in a hurry: Hydra's own launcher, JAX compiled once for all runs, one ``log_batch`` a run.

``python tuned.py -m 'seed=range(10)' lr=0.01,0.05``
"""

import functools
import time
from dataclasses import dataclass

import hydra
import jax
import jax.numpy as jnp
import numpy as np
from hydra.core.config_store import ConfigStore
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from omegaconf import OmegaConf

jax.config.update("jax_enable_x64", True)
Theta = list[tuple[jax.Array, jax.Array]]


@dataclass
class Config:
    seed: int = 0
    lr: float = 0.05
    samples: int = 256
    epochs: int = 1000
    measure_every: int = 10
    init: str | None = None  # an .npz file with x, y, W1, b1, W2, ...


ConfigStore.instance().store(name="tuned", node=Config)


def start(config: Config) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, np.ndarray]:
    """Return the first parameters, ``x (samples, inputs)`` and ``y (samples, outputs)``."""
    if config.init:
        with np.load(config.init) as given:
            return [(given[f"W{layer}"], given[f"b{layer}"]) for layer in (1, 2, 3)], given["x"], given["y"]
    rng = np.random.default_rng(config.seed)
    x = rng.uniform(-1, 1, (config.samples, 2))
    theta = [(rng.normal(size=(units, 2)), rng.normal(size=units)) for units in (2, 2, 1)]
    return theta, x, x @ np.array([[2.0], [3.0]]) + 10


def loss_of(theta: Theta, x: jax.Array, y: jax.Array) -> jax.Array:
    (W1, b1), (W2, b2), (W3, b3) = theta
    a = jax.nn.sigmoid(x @ W1.T + b1)
    a = jax.nn.sigmoid(a @ W2.T + b2)
    return jnp.square(a @ W3.T + b3 - y).mean() / 2


@functools.partial(jax.jit, static_argnames=("points", "every"))
def train(theta: Theta, x: jax.Array, y: jax.Array, lr: float, points: int, every: int) -> jax.Array:
    """Return the losses before training and after each ``every`` steps."""

    def step(theta: Theta, _: None) -> tuple[Theta, None]:
        gradient = jax.grad(loss_of)(theta, x, y)
        return jax.tree.map(lambda p, g: p - lr * g, theta, gradient), None

    def between_points(theta: Theta, _: None) -> tuple[Theta, jax.Array]:
        return jax.lax.scan(step, theta, length=every)[0], loss_of(theta, x, y)

    theta, losses = jax.lax.scan(between_points, theta, length=points)
    return jnp.append(losses, loss_of(theta, x, y))


@functools.cache
def tracker() -> tuple[MlflowClient, str]:
    """Return the client and the experiment, made once."""
    client = MlflowClient()
    return client, client.create_experiment("sweep")


@hydra.main(config_path=None, config_name="tuned", version_base="1.3")
def main(config: Config) -> None:
    client, experiment = tracker()
    run = client.create_run(experiment).info.run_id
    theta, x, y = start(config)
    points, every = config.epochs // config.measure_every, config.measure_every
    losses = np.asarray(train(theta, x, y, config.lr, points, every)).tolist()
    now = int(time.time() * 1000)
    metrics = [Metric("train/loss", loss, now, point * every) for point, loss in enumerate(losses)]
    metrics.append(Metric("train/r2", 1 - 2 * losses[-1] / y.var().item(), now, 0))
    params = [Param(name, str(value)) for name, value in OmegaConf.to_container(config).items()]
    client.log_batch(run, metrics, params)
    client.set_terminated(run)


if __name__ == "__main__":
    main()
