"""How good the estimators are as they are, beside those of scikit-learn: cross-validated scores and CPU seconds."""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import chainrule

# On the first sets of each task the default of batch_size and that of initializer were chosen; the others came later.
CLASSES: dict[str, Callable[[], Any]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "two moons": lambda: datasets.make_moons(300, noise=0.3, random_state=0),
    "20 features, 4 classes": lambda: datasets.make_classification(
        600, 20, n_informative=8, n_classes=4, class_sep=1.5, random_state=0
    ),
}
VALUES: dict[str, Callable[[], Any]] = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "friedman 1": lambda: datasets.make_friedman1(500, noise=1.0, random_state=0),
    "friedman 2": lambda: datasets.make_friedman2(500, noise=100.0, random_state=0),
    "friedman 3": lambda: datasets.make_friedman3(500, noise=0.1, random_state=0),
    "linear, 30 features": lambda: datasets.make_regression(300, 30, n_informative=10, noise=50.0, random_state=0),
}


def models(is_regression: bool) -> dict[str, Any]:
    """The models, as a person types them first; and scikit-learn's with its data scaled by hand."""
    if is_regression:
        scaled = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), MLPRegressor()), transformer=StandardScaler()
        )
        return {"chainrule": chainrule.Regressor(), "MLP": MLPRegressor(), "MLP, scaled": scaled}
    scaled = make_pipeline(StandardScaler(), MLPClassifier())
    return {"chainrule": chainrule.Classifier(), "MLP": MLPClassifier(), "MLP, scaled": scaled}


@dataclass
class Cell:
    """What a model reached on a data set.

    Attributes:
        scores: R2 or accuracy of each fold.
        seconds: of CPU, for all fits.
    """

    scores: list[float]
    seconds: float


def seeded(model: Any, seed: int) -> Any:
    """Return a copy whose random numbers follow from a seed."""
    model = clone(model)
    names = [name for name in model.get_params() if name == "random_state" or name.endswith("__random_state")]
    return model.set_params(**dict.fromkeys(names, seed))


def judged(x: Any, y: Any, is_regression: bool, folds: int, repetitions: int) -> dict[str, Cell]:
    """Cross-validate each model, with other folds and other first weights in each repetition."""
    found = {name: Cell([], 0.0) for name in models(is_regression)}
    for seed in range(repetitions):
        splitter = (KFold if is_regression else StratifiedKFold)(folds, shuffle=True, random_state=seed)
        for train, test in splitter.split(x, y):
            for name, model in models(is_regression).items():
                begin = time.process_time()
                fitted = seeded(model, seed).fit(x[train], y[train])
                found[name].seconds += time.process_time() - begin
                found[name].scores.append(fitted.score(x[test], y[test]))
    return found


def row(name: str, cells: dict[str, Cell]) -> str:
    """Return a row of the table: mean scores, folds in which the first model is better, seconds of a fit."""
    scores = {model: np.array(cell.scores) for model, cell in cells.items()}
    ours, *others = scores.values()
    means = [f"{score.mean():.3f}" for score in scores.values()]
    better = [f"{(ours > other).sum()} / {(ours < other).sum()}" for other in others]
    seconds = [f"{cell.seconds / len(cell.scores):.2f}" for cell in cells.values()]
    return "| " + " | ".join([name, *means, *better, *seconds]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", help="one of the data sets")
    given = parser.parse_args()
    print("| data | chainrule | MLP | MLP, scaled | better / worse than MLP | than MLP, scaled | s | s | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # of MLP, whose 200 epochs are often too few for it
        for is_regression, sets in ((False, CLASSES), (True, VALUES)):
            for name, load in sets.items():
                if given.only in (None, name):
                    print(row(name, judged(*load(), is_regression, given.folds, given.repetitions)), flush=True)


if __name__ == "__main__":
    main()
