"""What does machine code save?  ``python experiments/speed/compiled.py``.

The same trainings by NumPy, by machine code and by JAX, in turns within one process and on one thread, as in
``steps.py``; how long the first training of a structure takes; and which built-in components NumPy trains.
"""

import argparse
import dataclasses
import itertools
import os
import tempfile
import time
from pathlib import Path

from steps import HAS, conditions, over, row, same_as_peer, timed  # isort: skip - first, because it counts threads

import numpy as np
from peers import Case, chainrule, default_settings, jax_vmap
from sweeps import RATES, WORKLOAD, Bench, processor_time, seeds

import chainrule as cr
from chainrule.compiled import machine_code
from chainrule.files import cache
from chainrule.registry.loaded import installed
from chainrule.testing import traceable
from chainrule.testing.subjects import Subject

ROUNDS = 15
SWEEPS = 5  # rounds of sweeps, each with one by NumPy and two as by default
WORKLOADS = {  # of tracked sweeps, and how many times as long they are to take by NumPy
    "1,000 full-batch steps": (WORKLOAD, None),
    "the default run": ((), None),
    "the default run, 1,000 epochs": (("training.epochs=1000",), 4),
}
STEPS = (  # runs, case, greatest us a run and step that is wanted, times of JAX
    (1, Case("one run, 1 sample", (2, 2), 256, 1, 400), 0.15, 6),
    (256, Case("256 runs, 1 sample", (2, 2), 256, 1, 200), 0.04, 4),
    (1, Case("one run, 256 samples", (2, 2), 256, 256, 20000), 6, 1),
    (64, Case("64 runs, 256 samples", (2, 2), 256, 256, 3000), 2, 4),
)


def steps(quick: bool) -> None:
    """Microseconds per run and step of the article's network."""
    row("us per run and step", "NumPy", "machine code", "JAX", "over NumPy", "over JAX")
    row(*["---"] * 6)
    for runs, case, goal, of_jax in STEPS:
        case = dataclasses.replace(case, epochs=max(2, case.epochs // (20 if quick else 1)))
        contenders = {
            engine: chainrule(dataclasses.replace(case, engine=engine), runs) for engine in ("numpy", "compiled")
        }
        assert contenders["numpy"]().tobytes() == contenders["compiled"]().tobytes()
        if HAS["jax"]:
            contenders["jax"] = jax_vmap(case, runs)
            same_as_peer(case, contenders["compiled"](), contenders["jax"])
        taken = timed(contenders, 2 if quick else ROUNDS)
        us = {name: seconds.min() / runs / case.steps * 1e6 for name, seconds in taken.items()}
        times = {name: float(np.median(taken[name] / taken["compiled"])) for name in taken}
        row(
            case.name,
            f"{us['numpy']:.3f}",
            f"{us['compiled']:.3f} (goal {goal:g}: {'met' if us['compiled'] <= goal else 'MISSED'})",
            f"{us['jax']:.3f}" if "jax" in us else "-",
            f"{times['numpy']:.1f} x",
            f"{times['jax']:.1f} x (goal {of_jax:g}: {'met' if times['jax'] >= of_jax else 'MISSED'})"
            if "jax" in us
            else "-",
        )


def structures(quick: bool) -> None:
    """Times of NumPy's trainings over those of machine code, for optimizers, activations, widths and batches."""
    batches = (1, 8, 32)
    print()
    row("NumPy over machine code", *(f"one run, batches of {size}" for size in batches), "16 runs, 1 sample")
    row(*["---"] * 5)
    worst = np.inf
    kinds = itertools.product(("gradient_descent", "momentum", "adam"), ("tanh", "relu"), (2, 16))
    for optimizer, activation, units in list(kinds)[:: 5 if quick else 1]:
        cells = []
        for runs, size in (*((1, size) for size in batches), (16, 1)):
            contenders, number = {}, 64 * (4 if quick else 40) // runs
            for engine in ("numpy", "compiled"):
                base = cr.settings(
                    f"optimizer={optimizer}", f"activation={activation}", f"network.hidden=[{units},{units}]",
                    f"training.batch_size={size}", "data.samples=64", "data.validation=0", "training.tolerance=0",
                    f"training.epochs={max(2, number * size // 64)}", "training.measure_every=1000",
                    f"training.engine={engine}", "tracking=none",
                )  # fmt: skip
                stack = [cr.prepare(dataclasses.replace(base, seed=seed)) for seed in range(runs)]
                contenders[engine] = lambda stack=stack: cr.train(stack)[0].theta
            assert contenders["numpy"]().tobytes() == contenders["compiled"]().tobytes()
            taken = timed(contenders, 2 if quick else 5)
            ratio = float(np.median(taken["numpy"] / taken["compiled"]))
            worst = min(worst, ratio)
            cells.append(f"{ratio:.1f} x")
        row(f"{optimizer}, {activation}, 2-{units}-{units}-1", *cells)
    print(f"\nThe least is {worst:.2f} x (goal 1: {'met' if worst >= 1 else 'MISSED'}).")


def compilation(quick: bool) -> None:
    """Seconds of the first training of a structure in a process, and of one that another process has compiled."""
    print()
    row("first training of a structure", "s compiled", "s from the cache", "bytes", "of 100 runs by machine code")
    row(*["---"] * 5)
    for name, overrides in {
        "the default run": [],
        "adam, 2-16-16-1": ["optimizer=adam", "network.hidden=[16,16]"],
        "batches of 8, adam, 2-16-16-1": ["optimizer=adam", "network.hidden=[16,16]", "training.batch_size=8"],
    }.items():
        base = cr.settings(*overrides, "training.engine=compiled", "tracking=none", "training.epochs=1")
        seconds = []
        with tempfile.TemporaryDirectory() as folder:
            os.environ[cache.VARIABLE] = folder
            for _ in range(2):
                machine_code._loaded.cache_clear()
                begin = time.process_time()
                cr.train([cr.prepare(base)])
                seconds.append(time.process_time() - begin)
            size = sum(path.stat().st_size for path in cache.folder(machine_code.FOLDER).iterdir())
            many = [cr.prepare(dataclasses.replace(base, seed=seed)) for seed in range(4 if quick else 100)]
            whole = [
                dataclasses.replace(
                    one, settings=dataclasses.replace(one.settings, training=cr.settings("tracking=none").training)
                )
                for one in many
            ]
            begin = time.process_time()
            cr.train(whole)
            sweep = time.process_time() - begin
            del os.environ[cache.VARIABLE]
        share = (seconds[0] - seconds[1]) / (sweep + seconds[0])
        row(name, f"{seconds[0]:.3f}", f"{seconds[1]:.3f}", size, f"{share:.0%} of {sweep:.2f} s are compilation")


def tracked(quick: bool) -> None:
    """Seconds of tracked sweeps whose steps NumPy does, and of those as by default, in turns."""
    runs, rounds = (10, 1) if quick else (1000, SWEEPS)
    print()
    row(f"{runs} tracked runs, s (of CPU)", "NumPy", "by default", "nothing compiled before", "NumPy over default")
    row(*["---"] * 5)
    with tempfile.TemporaryDirectory(prefix="compiled.") as folder:
        bench = Bench(Path(folder), 1)
        for name, (workload, wanted) in WORKLOADS.items():
            command = ["-m", "chainrule", "-m", seeds(runs), f"optimizer.lr={RATES}", *workload]

            def took(engine: str, command: list[str] = command) -> tuple[float, float]:
                begin = processor_time()
                seconds, _, _ = bench._run([*command, f"training.engine={engine}"], bench._folder())
                return seconds, processor_time() - begin

            os.environ[cache.VARIABLE] = f"{folder}/cache of {name}"
            at_first = took("auto")
            turns = [(took("numpy"), took("auto"), took("auto")) for _ in range(rounds)]
            del os.environ[cache.VARIABLE]
            numpy, default = np.array([turn[0] for turn in turns]), np.array([turn[1:] for turn in turns])
            row(
                name,
                *(_span(taken) for taken in (numpy, default.reshape(-1, 2), np.array([at_first]))),
                over(numpy[:, 0], default[:, :, 0].mean(axis=1), None if quick else wanted),
            )


def _span(taken: np.ndarray) -> str:
    """Return the least and the greatest seconds by the clock, and the median of CPU."""
    least, greatest = taken[:, 0].min(), taken[:, 0].max()
    clock = f"{least:.1f}" if len(taken) == 1 else f"{least:.1f} to {greatest:.1f}"
    return f"{clock} ({np.median(taken[:, 1]):.1f})"


def fallbacks(_: bool) -> None:
    """Which built-in components NumPy trains, and why."""
    print()
    row("built-in component", "why NumPy trains it")
    row("---", "---")
    registry, count, every = installed(), 0, 0
    for kind in traceable.KINDS:
        for name in registry.names(kind):
            reason = traceable.reason_of(Subject(registry.find(kind, name)))
            every += 1
            if reason:
                count += 1
                row(f"`{kind}={name}`", reason)
    print(f"\nMachine code trains the other {every - count} of {every}.")


PARTS = (steps, structures, compilation, tracked, fallbacks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show in some seconds that everything works")
    names = [part.__name__ for part in PARTS]
    parser.add_argument("--only", choices=names, help="measure this alone")
    given = parser.parse_args()
    default_settings()
    for part in PARTS:
        if given.only in (None, part.__name__):
            part(given.quick)
    conditions()


if __name__ == "__main__":
    main()
