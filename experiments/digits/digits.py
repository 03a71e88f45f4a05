"""How good does a tuned network get on handwritten digits?  ``python experiments/digits/digits.py``.

Nested cross-validation of this framework and of scikit-learn's ``MLPClassifier``: in each outer fold both search the
same points of the same space, and the best point of each is tested on digits that its search has not seen.
"""

import argparse
import csv
import itertools
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy.stats import binomtest, bootstrap
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import chainrule
from chainrule import Array, Prepared, Settings
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
X, Y = load_digits(return_X_y=True)  # (samples, pixels), (samples,)
FOLDS = 5
WORKERS = 2  # processes, for both contenders; one for few and short runs
SPACE = (
    "activation=relu,tanh",
    "network.hidden=[32],[64],[128],[64,64]",
    "training.batch_size=32,128",
    "optimizer.lr=tag(log,interval(3e-4,3e-2))",
    "target.standardize=true,false",
)
FRESH = 100  # the first seed of the final runs; those of the search are smaller
NAMES = ("chainrule", "MLPClassifier")
Split = tuple[Array, Array]  # rows to train on, rows to test on
Label = Callable[[Sequence[Prepared], Array], list[Array]]  # trains runs; returns their labels of x (samples, pixels)


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Attributes:
        settings: what was trained.
        loss: mean cross-entropy of its validation samples.
        seconds: from the start of the search to the end of the run.
    """

    settings: Settings
    loss: float
    seconds: float


def splits(consecutive: bool) -> list[Split]:
    """Return the outer folds: stratified and shuffled, or consecutive fifths of the data set."""
    cut = KFold(FOLDS) if consecutive else StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return list(cut.split(X, Y))


def write_table(path: Path, rows: Array) -> None:
    """Write some rows of the data set as a CSV file, the label last."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"pixel {number}" for number in range(X.shape[1])), "digit"])
        writer.writerows([*pixels, label] for pixels, label in zip(X[rows].tolist(), Y[rows], strict=True))


def our_search(
    directory: Path, tables: Iterable[str], seeds: int, points: int, *words: str
) -> tuple[list[Trial], float]:
    """Search by one sweep over all folds; return its trials in the order of the jobs, and the seconds it took.

    Every random point is tried with each pair of a table and a seed: the seeds of a table are its own.
    """
    paths = [table for table in tables for _ in range(seeds)]
    command = [
        *("-m", "experiment=digits", "tracking=none", *SPACE, *words),
        *("target=table", "target.task=classification", f"target.path={','.join(paths)}"),
        *(f"seed=range({len(paths)})", "hydra.sweeper.zip=[[target.path,seed]]", f"hydra.sweeper.random={points}"),
        f"hydra.sweep.dir={directory}",
    ]
    begin, clock = time.time(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "chainrule", *command], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - clock
    sweep, trials = read_sweep(directory), []
    for outcome in sweep.outcomes():
        place = sweep.place(outcome.number)
        settings = chainrule.settings_of(read_record(place))
        written = (place / "manifest.json").stat().st_mtime
        trials.append(Trial(settings, outcome.value("validation/loss"), written - begin))
    return trials, seconds


def their_search(every: Sequence[Settings]) -> tuple[list[Trial], float]:
    """Do the same runs with scikit-learn, in their order; return their trials, and the seconds it took."""
    begin, clock = time.time(), time.perf_counter()
    ends = Parallel()(delayed(their_trial)(settings) for settings in every)
    trials = [Trial(settings, loss, end - begin) for settings, (loss, end) in zip(every, ends, strict=True)]
    return trials, time.perf_counter() - clock


def their_trial(settings: Settings) -> tuple[float, float]:
    """Return the validation loss of a run by scikit-learn, and the time when it was known."""
    run = chainrule.prepare(settings)
    x, labels = as_rows(run.samples.validation)
    model = fitted(run)
    return log_loss(labels, model.predict_proba(x), labels=model.classes_), time.time()


def as_rows(part: Array) -> tuple[Array, Array]:
    """Return what scikit-learn wants of training or validation samples: ``x (samples, pixels)``, ``labels (samples,)``.

    They are scaled as our network sees them.
    """
    x, y = np.split(part[1:], [X.shape[1]])  # below a row of ones
    return x.T, y.argmax(axis=0)


def classifier(settings: Settings) -> MLPClassifier:
    """Return scikit-learn's network of the same settings: without penalty, and without an early end."""
    training = settings.training
    return MLPClassifier(
        settings.network.hidden,
        activation=settings.activation.name,
        batch_size=training.batch_size,
        learning_rate_init=settings.optimizer.lr,
        max_iter=training.epochs,
        n_iter_no_change=training.epochs,
        alpha=0,
        random_state=settings.seed,
    )


def fitted(run: Prepared) -> MLPClassifier:
    """Return scikit-learn's network, trained on the training samples of a run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # all epochs are trained, as they are meant to be
        return classifier(run.settings).fit(*as_rows(run.samples.train))


def our_labels(runs: Sequence[Prepared], x: Array) -> list[Array]:
    """Train runs of one structure, and return their labels of ``x (samples, pixels)``."""
    return [result.predict(x.T).argmax(axis=0) for result in chainrule.train(runs)]


def their_labels(runs: Sequence[Prepared], x: Array) -> list[Array]:
    """Return the labels that scikit-learn's networks have, trained on the samples of the same runs."""
    return [fitted(run).predict(run.samples.x_scaling.apply(x.T).T) for run in runs]


def tested(label: Label, settings: Settings, seeds: int, rows: Array) -> Array:
    """Train on all rows of a table; return which of the test ``rows`` are right, ``(seeds, samples)`` of bool."""
    whole = replace(settings, data=replace(settings.data, validation=0))
    runs = [chainrule.prepare(replace(whole, seed=FRESH + number)) for number in range(seeds)]
    return np.array(label(runs, X[rows])) == Y[rows]


def incumbents(trials: Iterable[Trial]) -> list[tuple[float, Settings]]:
    """Return the settings that were the best of one fold for a while, and the second from which on, in order.

    The best has the smallest mean loss; it counts when the runs of all its seeds have ended. Its seed is set to 0.
    """
    found: dict[Settings, list[Trial]] = {}
    for trial in trials:
        found.setdefault(replace(trial.settings, seed=0), []).append(trial)
    known = [
        (max(trial.seconds for trial in same), float(np.mean([trial.loss for trial in same])), settings)
        for settings, same in found.items()
    ]
    best, way = np.inf, []
    for seconds, loss, settings in sorted(known, key=lambda entry: entry[0]):
        if loss < best:
            best = loss
            way.append((seconds, settings))
    return way


@dataclass(frozen=True)
class Contender:
    """What came of one side's search, and of the networks that it led to.

    Attributes:
        ways: of each fold, what :func:`incumbents` says.
        right: of each of these settings which test digits of its fold it sees rightly, ``(seeds, samples)`` of bool.
        searching, finishing: seconds that the search took, and the final runs of what it chose.
    """

    ways: Sequence[Sequence[tuple[float, Settings]]]
    right: dict[Settings, Array]
    searching: float
    finishing: float

    def chosen(self, seconds: float = np.inf) -> list[Settings]:
        """Return the best settings of each fold that are known after ``seconds``; none of a fold that has none yet."""
        known = ([settings for when, settings in way if when <= seconds] for way in self.ways)
        return [some[-1] for some in known if some]

    def seen(self, seconds: float = np.inf) -> Array | None:
        """Return which test digits of all folds they see rightly, ``(seeds, samples)``; None if a fold has none yet."""
        chosen = self.chosen(seconds)
        return np.hstack([self.right[one] for one in chosen]) if len(chosen) == len(self.ways) else None


def judged(label: Label, trials: Sequence[Trial], searching: float, folds: dict[str, Array], seeds: int) -> Contender:
    """Train and test what a search led to.

    Args:
        label: trains runs and says what they see.
        trials: of the search, over all folds.
        searching: seconds that it took.
        folds: test rows by the path of a fold's table.
        seeds: final runs of each setting.
    """

    def test(settings: Iterable[Settings]) -> list[Array]:
        return Parallel()(delayed(tested)(label, one, seeds, folds[one.target.path]) for one in settings)

    ways = [incumbents(trial for trial in trials if trial.settings.target.path == path) for path in folds]
    last = [way[-1][1] for way in ways]
    begin = time.perf_counter()
    right = dict(zip(last, test(last), strict=True))
    finishing = time.perf_counter() - begin
    before = [settings for way in ways for _, settings in way[:-1]]
    return Contender(ways, right | dict(zip(before, test(before), strict=True)), searching, finishing)


def alone(repetitions: int, *words: str) -> list[float]:
    """Return the least seconds that one run takes, of each contender; they take turns."""
    run = chainrule.prepare(chainrule.settings("experiment=digits", *words))
    return np.min([[timed(chainrule.train, [run]), timed(fitted, run)] for _ in range(repetitions)], axis=0).tolist()


def timed(train: Callable[..., object], *arguments: object) -> float:
    begin = time.perf_counter()
    train(*arguments)
    return time.perf_counter() - begin


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def percent(right: Array | None) -> str:
    return "-" if right is None else f"{100 * right.mean():.2f}"


def interval(digits: Array) -> str:
    """Return the mean over test digits, ``(samples,)``, in per cent, with a 95 % interval by bootstrap over them."""
    low, high = bootstrap((digits,), np.mean, batch=1000, rng=np.random.default_rng(0)).confidence_interval
    return f"{100 * digits.mean():.2f} [{100 * low:.2f}, {100 * high:.2f}]"


def compare(title: str, ours: Array, theirs: Array) -> None:
    """Print a row on the digits that one side sees rightly in more of its runs than the other, ``(seeds, samples)``."""
    difference = ours.mean(axis=0) - theirs.mean(axis=0)
    more, less = int((difference > 0).sum()), int((difference < 0).sum())
    row(title, interval(difference), more, less, f"{binomtest(more, more + less).pvalue:.2g}")


def described(settings: Settings) -> str:
    """Return what the search has chosen, in words."""
    widths = "-".join(map(str, settings.network.hidden))
    scaled = "standardized" if settings.target.standardize else "raw"
    return f"{widths} {settings.activation.name}, {settings.training.batch_size}, {settings.optimizer.lr:.2g}, {scaled}"


def draw(contenders: dict[str, Contender], labels: Array, path: Path) -> None:
    """Draw accuracy by time of the search, and errors by digit; ``labels (samples,)`` are those of the test digits."""
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("Handwritten digits: tuned networks on digits that tuning has not seen")
    longest = max(contender.searching for contender in contenders.values())
    for number, (name, contender) in enumerate(contenders.items()):
        times = sorted({when for way in contender.ways for when, _ in way})
        reached = [(when, 100 * seen.mean()) for when in times if (seen := contender.seen(when)) is not None]
        steps = np.array([*reached, (longest, reached[-1][1])])
        (line,) = left.step(*steps.T, where="post", label=name)
        left.axvline(contender.searching, color=line.get_color(), linestyle=":", linewidth=1)
        wrong = 1 - contender.seen().mean(axis=0)
        errors = [100 * wrong[labels == digit].mean() for digit in range(10)]
        right.bar(np.arange(10) + 0.4 * number - 0.2, errors, width=0.4, label=name)
    left.set(xlabel="seconds of search", ylabel="%", title="test accuracy of the best so far; dotted: the end")
    left.set_xlim(0)
    right.set(xlabel="digit", ylabel="%", title="test digits that are not recognized", xticks=range(10))
    left.legend(loc="center right")
    right.legend(loc="upper left")
    right.set_axisbelow(True)
    save(figure, path)


def tables(directory: Path, consecutive: bool) -> dict[str, Array]:
    """Write the training rows of each fold as a table; return the test rows by its path."""
    directory.mkdir(parents=True)
    folds = {}
    for number, (train, test) in enumerate(splits(consecutive)):
        path = directory / f"fold-{number}.csv"
        write_table(path, train)
        folds[str(path)] = test
    return folds


def report(ours: Contender, theirs: Contender) -> None:
    """Print what came of the two searches, after the same work and after the same time."""
    header("after the same work", "% right", "by run, lowest and highest", "search, s", "final runs, s")
    for name, contender in zip(NAMES, (ours, theirs), strict=True):
        by_run = 100 * contender.seen().mean(axis=1)
        lowest, highest = f"{by_run.min():.2f}", f"{by_run.max():.2f}"
        spent = f"{contender.searching:.1f}", f"{contender.finishing:.1f}"
        row(name, interval(contender.seen().mean(axis=0)), f"{lowest}, {highest}", *spent)
    row("ratio", "", "", f"{theirs.searching / ours.searching:.1f}", f"{theirs.finishing / ours.finishing:.1f}")

    header("seconds of search", *(f"{name}, % right" for name in NAMES))
    for seconds in (ours.searching / 4, ours.searching / 2, ours.searching, theirs.searching):
        row(f"{seconds:.0f}", *(percent(contender.seen(seconds)) for contender in (ours, theirs)))

    header("chainrule less MLPClassifier", "% right", "digits for", "against", "sign test, p")
    compare("after the same work", ours.seen(), theirs.seen())
    early = theirs.seen(ours.searching)
    if early is not None:
        compare("after the same time", ours.seen(), early)

    header("fold", *(f"chosen by {name}" for name in NAMES))
    for number, chosen in enumerate(zip(ours.chosen(), theirs.chosen(), strict=True)):
        row(number, *map(described, chosen))


def study(quick: bool, consecutive: bool) -> None:
    """Search and test with both contenders, and show what came of it."""
    points, seeds, finals, repetitions = (4, 1, 2, 1) if quick else (16, 4, 5, 5)
    shorter = ["training.epochs=10"] if quick else []
    workers = f"hydra.launcher.workers={1 if quick else WORKERS}"
    directory = Path("multirun", "digits", f"{datetime.now():%Y-%m-%d_%H-%M-%S}")
    folds = tables(directory, consecutive)
    print(f"Tables and sweep are in {directory}.", flush=True)
    our_trials, ours_took = our_search(directory / "sweep", folds, seeds, points, workers, *shorter)
    their_trials, theirs_took = their_search([trial.settings for trial in our_trials])
    ours = judged(our_labels, our_trials, ours_took, folds, finals)
    theirs = judged(their_labels, their_trials, theirs_took, folds, finals)
    report(ours, theirs)

    header("one run alone, s", *NAMES, "ratio")
    for hidden, batch in itertools.product(("[32]", "[128]"), (32, 128)):
        least = alone(repetitions, f"network.hidden={hidden}", f"training.batch_size={batch}", *shorter)
        row(f"{hidden}, batches of {batch}", *(f"{value:.3f}" for value in least), f"{least[1] / least[0]:.1f}")

    if not consecutive:
        labels = np.concatenate([Y[test] for test in folds.values()])
        draw(dict(zip(NAMES, (ours, theirs), strict=True)), labels, (Path() if quick else HERE) / "digits.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consecutive", action="store_true", help="consecutive fifths as folds; draws no figure")
    parser.add_argument(
        "--quick", action="store_true", help="few and short runs; the figure goes to the working directory"
    )
    options = parser.parse_args()
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    workers = 1 if options.quick else WORKERS
    with threadpool_limits(1), parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        study(options.quick, options.consecutive)
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
