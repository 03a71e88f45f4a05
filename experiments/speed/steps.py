"""How fast is a training step, alone and in a stack?  ``python experiments/speed/steps.py``.

Contenders take turns within one process, on one thread, round after round. A time is the least CPU time of all rounds;
a ratio is given as the median, the least and the greatest of those within a round, so that they hold on a busy machine.
Peers are measured where they are installed.
"""

import os

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse  # noqa: E402 - threads are counted when NumPy is imported
import importlib.metadata  # noqa: E402
import importlib.util  # noqa: E402
import platform  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Mapping  # noqa: E402

import numpy as np  # noqa: E402
from peers import Case, Contender, chainrule, chainrule_alone, jax_vmap, lean_pytorch, pytorch, scikit_learn  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

HAS = {name: importlib.util.find_spec(name) is not None for name in ("sklearn", "torch", "jax")}
ROUNDS = 15


def timed(contenders: Mapping[str, Contender], rounds: int) -> dict[str, np.ndarray]:
    """Return the seconds of CPU of each contender in each round, ``(rounds,)``, after one round that does not count.

    By the clock a long turn would suffer more from other processes than a short one.
    """
    seconds = {name: np.zeros(rounds + 1) for name in contenders}
    with threadpool_limits(1):
        for number in range(rounds + 1):
            for name, train in contenders.items():
                begin = time.process_time()
                train()
                seconds[name][number] = time.process_time() - begin
    return {name: taken[1:] for name, taken in seconds.items()}


def goal(ratio: float, wanted: float, quick: bool) -> str:
    """Return a ratio beside its goal; a few steps say nothing about goals."""
    return f"{ratio:.1f} x" + ("" if quick else met(ratio, wanted))


def met(ratio: float, wanted: float) -> str:
    return f" (goal {wanted:g}: {'met' if ratio >= wanted else 'MISSED'})"


def over(theirs: np.ndarray, ours: np.ndarray, wanted: float | None, digits: int = 1) -> str:
    """Return how many times ours a peer takes, of the pairs of each round: median, least and greatest."""
    ratios = theirs / ours
    text = f"{np.median(ratios):.{digits}f} x ({ratios.min():.{digits}f} to {ratios.max():.{digits}f})"
    return text + (met(float(np.median(ratios)), wanted) if wanted else "")


def one_run(quick: bool) -> None:
    """Microseconds a step of a single run, what measuring adds by default, and how many times as long peers take."""
    scale = 20 if quick else 1
    if quick:
        print("A training of a few steps: most of its time is what it costs once, whatever a step takes.\n")
    cases = [  # the goals are those over scikit-learn and over the usual loop
        (Case("2-2-2-1, 1 sample", (2, 2), 256, 1, max(1, 12 // scale)), 5.0, 10.0),
        (Case("2-2-2-1, 256 samples", (2, 2), 256, 256, 3000 // scale), 5.0, 10.0),
        (Case("64-64-10, 32 samples", (64,), 1797, 32, max(1, 50 // scale), pixels=64), 1.0, 1.0),
        (Case("784-128-64-10, 128 samples", (128, 64), 1280, 128, 20 // scale, "float32", pixels=784), 1.0, 1.0),
    ]
    peers = {"scikit-learn": scikit_learn} if HAS["sklearn"] else {}
    if HAS["torch"]:
        peers |= {"PyTorch, usual loop": pytorch, "PyTorch, lean loop": lean_pytorch}
    taken = {}
    row("one run, us a step", "chainrule", "measured as by default", "times", *peers)
    row(*["---"] * (4 + len(peers)))
    for case, *_ in cases:
        contenders = {"own": chainrule(case), "measured": chainrule(case, by_default=True)}
        contenders |= {name: peer(case) for name, peer in peers.items()}
        for name in peers:
            if name.startswith("PyTorch"):
                same_as_peer(case, contenders["own"](), contenders[name])
        taken[case.name] = seconds = timed(contenders, 2 if quick else ROUNDS)
        own, measured, *others = (f"{each.min() / case.steps * 1e6:.1f}" for each in seconds.values())
        row(case.name, own, measured, over(seconds["measured"], seconds["own"], None, 2), *others)
    for title, ours in (("times chainrule's", "own"), ("times chainrule's, measured as by default", "measured")):
        print()
        row(title, *peers)
        row(*["---"] * (1 + len(peers)))
        for case, over_sklearn, over_torch in cases:
            wanted = {} if quick else {"scikit-learn": over_sklearn, "PyTorch, usual loop": over_torch}
            seconds = taken[case.name]
            row(case.name, *(over(seconds[name], seconds[ours], wanted.get(name)) for name in peers))


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def stacks(quick: bool) -> None:
    """Microseconds per run and step in stacks, against single runs and JAX."""
    print("\n| stack, us per run and step | single runs | stacked | JAX | over single runs | over JAX |")
    print("|---|---|---|---|---|---|")
    for batch_size, epochs, wanted in ((256, 500, 3.0), (1, 40, 35.0)):
        case = Case("", (2, 2), 256, batch_size, max(1, epochs // (20 if quick else 1)))
        for runs in (8,) if quick else (64, 256):
            few = min(runs, 8)  # single runs take turns, one after another; eight say what each costs
            contenders = {"own": chainrule(case, runs), "alone": chainrule_alone(case, few)}
            if HAS["jax"]:
                contenders["jax"] = jax_vmap(case, runs)
                if batch_size == case.samples:
                    same_as_peer(case, contenders["own"](), contenders["jax"])
            best = {name: seconds.min() for name, seconds in timed(contenders, 1 if quick else 7).items()}
            own, alone = best["own"] / runs / case.steps * 1e6, best["alone"] / few / case.steps * 1e6
            jax = best["jax"] / runs / case.steps * 1e6 if "jax" in best else None
            over_jax = "-" if jax is None else goal(jax / own, 1, quick or batch_size == 1)
            print(
                f"| {runs} runs, {batch_size} sample{'s' if batch_size > 1 else ''} | {alone:.2f} | {own:.3f} | "
                f"{'-' if jax is None else f'{jax:.3f}'} | {goal(alone / own, wanted, quick)} | {over_jax} |",
                flush=True,
            )


def same_as_peer(case: Case, theta: np.ndarray, peer: Contender) -> None:
    """Make sure that both do the same work: where both see the samples in the same order, they end the same."""
    if case.batch_size >= case.samples:
        np.testing.assert_allclose(theta, peer(), rtol=1e-6, atol=1e-9)


def help_time(quick: bool) -> None:
    """CPU seconds of ``chainrule --help``, in a process of its own."""
    seconds = []
    for _ in range(1 if quick else 7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "chainrule", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"\n`chainrule --help`: {np.median(seconds):.2f} s of CPU (median of {len(seconds)}; goal: less than 1)")


PARTS = {"one-run": one_run, "stacks": stacks, "help": help_time}


def conditions() -> None:
    names = ["numpy", "scikit-learn", *(name for name in ("torch", "jax") if HAS[name])]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}; {platform.machine()}, one thread.")
    for name, package in (("PyTorch", "torch"), ("JAX", "jax")):
        if not HAS[package]:
            print(f"{name} is not installed and so not measured: pip install {package}")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few steps of everything, to see that it works")
    parser.add_argument("--only", choices=PARTS, help="measure this part only")
    given = parser.parse_args()
    conditions()
    for name, part in PARTS.items():
        if given.only in (None, name):
            part(given.quick)


if __name__ == "__main__":
    main()
