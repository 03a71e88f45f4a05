"""Lists of overrides, drawn at random, of which some are wrong, and what they choose."""

from chainrule.config import compose

GROUPS = {
    "activation": ["tanh", "relu", "elu", "nothing"],
    "optimizer": ["adam", "rmsprop", "momentum", "adm"],
    "target": ["sine", "digits", "table"],
    "loss": ["huber", "log_cosh"],
    "experiment": ["article"],
    "+extra": ["1"],
}
VALUES = {
    "seed": ["0", "7", "-1", "text", "null"],
    "optimizer.lr": ["0.1", "1", "1e-3", "abc", "${training.tolerance}", "???"],
    "optimizer.beta1": ["0.5"],
    "activation.alpha": ["0.3"],
    "network.hidden": ["[3]", "[]", "[2,2,2]", "5"],
    "network": ["{hidden:[4]}", "3"],
    "training.batch_size": ["null", "16", "x"],
    "training.dtype": ["float32", "no", "'1e3'", "on"],
    "data.noise": ["0.5", "${seed}"],
    "target.path": ["a.csv", "'ünïcode 😀.csv'", "'a b\\tc'", "''"],
    "+data.extra": ["1"],
    "++data.samples": ["17"],
    "~training.patience": [None],
    "dataa.samples": ["3"],
    "data.samples": ["64", "1_000"],
}


def random_overrides(rng):
    keys = rng.sample(sorted(GROUPS), rng.choice([0, 0, 1, 1, 2])) + rng.sample(
        sorted(VALUES), rng.choice([0, 1, 2, 3])
    )
    if rng.random() < 0.7:  # mostly such as can be composed
        keys = [
            key for key in keys if key not in ("dataa.samples", "activation.alpha", "optimizer.beta1", "+data.extra")
        ]
    rng.shuffle(keys)
    chosen = [(key, rng.choice({**GROUPS, **VALUES}[key])) for key in keys]
    return [key if value is None else f"{key}={value}" for key, value in chosen]


def fitted_components(overrides):
    """What the command composes for the choice of ``auto``; nothing where Hydra composes nothing."""
    try:
        return compose.fitted_in(compose._composed(overrides, return_hydra_config=True))
    except Exception as error:
        if not compose.is_composition_error(error):
            raise
        return {}
