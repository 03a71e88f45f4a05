"""The contenders: each function returns a callable that trains a fixed number of steps and returns its parameters.

Every contender trains the same network from the same start on the same samples, with the same loss (half the squared
error, averaged over samples and added over outputs), rate and number of steps, on one thread.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule import Prepared, Settings, Target, prepare, settings
from chainrule import train as train_all

RATE = 1e-3
Contender = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Images(Target):
    """Random inputs and outputs of the size of a small image classifier with 10 classes."""

    outputs: ClassVar[int] = 10
    pixels: int = 784

    @property
    def inputs(self) -> int:
        return self.pixels

    def data(self, rng, samples):
        return rng.normal(size=(samples, self.pixels)), rng.normal(size=(samples, 10))


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        name: for the table.
        hidden: widths of the hidden layers.
        samples: number of training samples.
        batch_size: samples per step.
        epochs: passes through the samples.
        dtype: of all arrays.
        pixels: of the random images that are learned; 0 for the article's function instead.
        engine: what does chainrule's steps.
    """

    name: str
    hidden: tuple[int, ...]
    samples: int
    batch_size: int
    epochs: int
    dtype: str = "float64"
    pixels: int = 0
    engine: str = "auto"

    @property
    def steps(self) -> int:
        return self.epochs * -(-self.samples // self.batch_size)

    def prepared(self, seed: int = 0, rate: float = RATE, by_default: bool = False) -> Prepared:
        """Return the run, ready to train; measured as by default, or its losses at its first and last epoch only."""
        base = default_settings()
        training = dataclasses.replace(
            base.training,
            epochs=self.epochs,
            batch_size=self.batch_size,
            measure_every=None if by_default else self.epochs,
            gradient_norms=None if by_default else False,
            dtype=type(base.training.dtype)(self.dtype),
            engine=type(base.training.engine)(self.engine),
        )
        return prepare(
            dataclasses.replace(
                base,
                seed=seed,
                network=dataclasses.replace(base.network, hidden=self.hidden),
                data=dataclasses.replace(base.data, samples=self.samples),
                target=Images(self.pixels) if self.pixels else base.target,
                optimizer=dataclasses.replace(base.optimizer, lr=rate),
                training=training,
            )
        )


@functools.cache
def default_settings() -> Settings:
    """Return the article's run without validation, early stopping and tracking."""
    return settings(*["data.validation=0", "training.tolerance=0", "tracking=none"])


def start(case: Case) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the first weights and biases, and ``x (samples, inputs)`` and ``y (samples, outputs)``."""
    run = case.prepared()
    weights, biases = run.shape.split(run.theta)
    block, split = run.samples.train, 1 + run.samples.inputs
    return weights, biases, np.ascontiguousarray(block[1:split].T), np.ascontiguousarray(block[split:].T)


def chainrule(case: Case, runs: int = 1, by_default: bool = False) -> Contender:
    """A stack of runs that differ in seed and rate."""

    def train() -> np.ndarray:
        return train_all(stack)[0].theta

    stack = [case.prepared(seed, RATE * (1 + seed / runs), by_default) for seed in range(runs)]
    return train


def chainrule_alone(case: Case, runs: int) -> Contender:
    """The same runs, one after another."""

    def train() -> np.ndarray:
        thetas = [train_all([run])[0].theta for run in alone]
        return thetas[0]

    alone = [case.prepared(seed, RATE * (1 + seed / runs)) for seed in range(runs)]
    return train


def scikit_learn(case: Case) -> Contender:
    """``MLPRegressor`` with plain SGD; a full batch is not shuffled, which is the faster setting for it."""
    from sklearn.neural_network import MLPRegressor

    *_, x, y = start(case)
    warnings.filterwarnings("ignore", module="sklearn")

    def train() -> np.ndarray:
        model = MLPRegressor(
            hidden_layer_sizes=case.hidden, activation="logistic", solver="sgd", batch_size=case.batch_size,
            learning_rate_init=RATE, momentum=0, nesterovs_momentum=False, alpha=0, tol=0, n_iter_no_change=10**9,
            max_iter=case.epochs, shuffle=case.batch_size < case.samples, random_state=0,
        ).fit(x, y[:, 0] if y.shape[1] == 1 else y)  # fmt: skip
        assert model.n_iter_ == case.epochs
        return np.array(model.coefs_[0])

    return train


def pytorch(case: Case) -> Contender:
    """The usual loop: ``nn.Sequential``, ``torch.optim.SGD``, one autograd pass a step."""
    import torch

    torch.set_num_threads(1)
    shape = case.prepared().shape
    weights, biases, *data = start(case)
    x, y = (torch.from_numpy(part) for part in data)

    def train() -> np.ndarray:
        layers = []
        for W, b in zip(weights, biases, strict=True):
            layer = torch.nn.Linear(W.shape[1], W.shape[0], dtype=x.dtype)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(W))
                layer.bias.copy_(torch.from_numpy(b))
            layers += [layer, torch.nn.Sigmoid()]
        network = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
        for _ in range(case.epochs):
            full = case.batch_size >= case.samples
            batches = [slice(None)] if full else torch.randperm(case.samples).split(case.batch_size)
            for rows in batches:
                optimizer.zero_grad()
                loss = 0.5 * (network(x[rows]) - y[rows]).square().sum(dim=1).mean()
                loss.backward()
                optimizer.step()
        trained = [part.detach().numpy() for part in network.parameters()]
        return shape.flatten(trained[::2], trained[1::2])

    return train


def lean_pytorch(case: Case) -> Contender:
    """No modules and no optimizer: plain tensors, ``autograd.grad``, one subtraction for each, one shuffle an epoch."""
    import torch

    torch.set_num_threads(1)
    shape = case.prepared().shape
    weights, biases, *data = start(case)
    x, y = (torch.from_numpy(part) for part in data)
    linear, squared_error = torch.nn.functional.linear, torch.nn.functional.mse_loss

    def train() -> np.ndarray:
        theta = [torch.tensor(part, requires_grad=True) for pair in zip(weights, biases, strict=True) for part in pair]
        *hidden, W, b = theta
        layers = list(zip(hidden[::2], hidden[1::2], strict=True))
        for _ in range(case.epochs):
            order = slice(None) if case.batch_size >= case.samples else torch.randperm(case.samples)
            batches = zip(x[order].split(case.batch_size), y[order].split(case.batch_size), strict=True)
            for a, expected in batches:
                for weight, bias in layers:
                    a = torch.sigmoid(linear(a, weight, bias))
                gradients = torch.autograd.grad(squared_error(linear(a, W, b), expected, reduction="sum"), theta)
                rate = RATE / (2 * len(expected))  # of the sum of the squared errors, instead of half their mean
                with torch.no_grad():
                    for part, gradient in zip(theta, gradients, strict=True):
                        part.sub_(gradient, alpha=rate)
        trained = [part.detach().numpy() for part in theta]
        return shape.flatten(trained[::2], trained[1::2])

    return train


def jax_vmap(case: Case, runs: int) -> Contender:
    """``jit(vmap(scan))`` over runs of ``chainrule(case, runs)``; compiled before it is timed."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    stack = [case.prepared(seed, RATE * (1 + seed / runs)) for seed in range(runs)]
    split = 1 + stack[0].samples.inputs
    parameters = [tuple(zip(*run.shape.split(run.theta), strict=True)) for run in stack]
    theta = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parameters)
    x = jnp.stack([run.samples.train[1:split].T for run in stack])
    y = jnp.stack([run.samples.train[split:].T for run in stack])
    rates = jnp.array([run.settings.optimizer.lr for run in stack])
    keys = jax.random.split(jax.random.key(0), runs)

    def loss(theta, x, y):
        a = x
        for layer, (W, b) in enumerate(theta):
            z = a @ W.T + b
            a = z if layer == len(theta) - 1 else jax.nn.sigmoid(z)
        return 0.5 * jnp.square(a - y).sum(axis=1).mean()

    def train_one(theta, x, y, rate, key):
        def step(theta, batch):
            gradient = jax.grad(loss)(theta, *batch)
            return jax.tree.map(lambda p, g: p - rate * g, theta, gradient), None

        def epoch(theta, key):
            if case.batch_size >= case.samples:
                return step(theta, (x, y))
            order = jax.random.permutation(key, case.samples).reshape(-1, case.batch_size)
            return jax.lax.scan(step, theta, (x[order], y[order]))[0], None

        return jax.lax.scan(epoch, theta, jax.random.split(key, case.epochs))[0]

    compiled = jax.jit(jax.vmap(train_one)).lower(theta, x, y, rates, keys).compile()

    def train() -> np.ndarray:
        trained = jax.block_until_ready(compiled(theta, x, y, rates, keys))
        return stack[0].shape.flatten([np.asarray(W[0]) for W, _ in trained], [np.asarray(b[0]) for _, b in trained])

    return train
