"""Jobs that tests make by hand, without Hydra."""

from chainrule.sweep.jobs.job import Base, Job

CONFIGURATION = {
    "seed": 0,
    "network": {"hidden": [3], "dropout": 0.0},
    "data": {
        "samples": None,
        "validation": 0.25,
        "noise": 0.0,
        "class_weights": None,
        "balance_classes": False,
        "test": 0.0,
        "folds": None,
        "fold": 0,
        "stratify": None,
    },
    "training": {
        "epochs": 2,
        "batch_size": 1,
        "tolerance": 0.0,
        "patience": None,
        "measure_every": None,
        "gradient_norms": None,
        "dtype": "float64",
        "restore_best": False,
        "engine": "auto",
        "start": None,
        "checkpoint_every": 30.0,
    },
    "activation": {"name": "tanh"},
    "output": {"name": "identity"},
    "loss": {"name": "half_squared_error"},
    "optimizer": {"name": "adam", "lr": 0.25},
    "schedule": {"name": "constant"},
    "target": {"name": "sine"},
    "initializer": {"name": "normal"},
    "rule": {"name": "exact"},
    "sampling": {"name": "shuffled"},
    "norm": {"name": "identity"},
    "tracking": {"name": "none"},
}
SECTIONS = ("network", "data", "training")
# Neither a folder .hydra nor a log.
HYDRA = {"output_subdir": None, "job_logging": None, "job": {"name": "made_up"}}


def configuration(**changes):
    """A whole configuration; of a section, only the values that are given change."""
    merged = {key: {**CONFIGURATION[key], **value} if key in SECTIONS else value for key, value in changes.items()}
    return {**CONFIGURATION, **merged}


def job(number, *overrides, alone="", directory="", base=None, **changes):
    """A job whose configuration has these changes; its overrides only name it."""
    base = base or Base(configuration(**changes), HYDRA)
    place = str(directory or f"/sweep/{number}")
    return Job(number, overrides, base, (), None, place, "", alone)
