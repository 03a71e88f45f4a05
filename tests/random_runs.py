"""Random configurations and sweeps that are valid: every component takes part."""

import random
import re
from collections.abc import Sequence

Overrides = list[str]

TARGETS = {  # by the kind of problem: its name and what may be said of it
    "regression": {
        "linear": ["target.coefficients=[1.5,-2.0,0.25]", "target.coefficients=[4.0]", "target.intercept=-1.5"],
        "sine": ["target.amplitude=2.0", "target.frequency=1.7", "target.phase=0.4"],
        "friedman1": ["target.features=7"],
        "diabetes": ["target.standardize=false"],
        "table": ["target.label=height", "target.standardize=true"],  # of numbers.csv
    },
    "two classes": {
        "xor": [],
        "two_moons": [],
        "spirals": ["target.turns=0.75"],
        "breast_cancer": [],
    },
    "classes": {
        "wine": [],
        "digits": [],
        "table": ["target.standardize=true"],  # of names.csv
    },
}
TABLES = {"regression": "numbers.csv", "classes": "names.csv"}
NEWTON = "optimizer=levenberg_marquardt"
ROWS = 40  # of these files, and of samples at most
ACTIVATIONS = ["identity", "sigmoid", "relu", "tanh", "leaky_relu", "elu", "softplus", "gelu", "silu", "softmax",
               "prelu", "swish", "mish", "selu", "hard_swish", "sine", "snake", "maxout", "glu"]  # fmt: skip
SEVERAL, TAKING = {"maxout", "glu"}, ["exact", "sign_symmetric"]  # pieces; rules that take them
NORMS = ["layer_norm", "batch_norm"]
CHOICES = {
    "activation": {
        **{name: [] for name in ACTIVATIONS},
        "leaky_relu": ["activation.negative_slope=0.2"],
        "elu": ["activation.alpha=0.5"],
        "softplus": ["activation.beta=2.0", "activation.threshold=10.0"],
        "prelu": ["activation.negative_slope=0.1"],
        "swish": ["activation.beta=2.0"],
        "snake": ["activation.alpha=0.5"],
        "maxout": ["activation.pieces=3"],
    },
    "loss": {
        "half_squared_error": [],
        "absolute_error": [],
        "huber": ["loss.delta=0.5"],
        "log_cosh": [],
        "quantile": ["loss.q=0.3"],
        "gaussian_nll": [],
    },
    "optimizer": {
        "gradient_descent": ["optimizer.weight_decay=0.01"],
        "momentum": ["optimizer.momentum=0.5", "optimizer.dampening=0.1", "optimizer.weight_decay=0.01"],
        "nesterov": ["optimizer.momentum=0.5", "optimizer.weight_decay=0.01"],
        "adagrad": ["optimizer.lr_decay=0.1", "optimizer.initial_accumulator_value=0.1"],
        "adadelta": ["optimizer.rho=0.8", "optimizer.eps=1e-4"],
        "rmsprop": ["optimizer.alpha=0.9", "optimizer.momentum=0.3", "optimizer.centered=true"],
        "adam": ["optimizer.beta1=0.8", "optimizer.beta2=0.99", "optimizer.amsgrad=true"],
        "adamw": ["optimizer.weight_decay=0.1", "optimizer.amsgrad=true"],
        "nadam": ["optimizer.weight_decay=0.1", "optimizer.decoupled_weight_decay=true"],
        "rprop": ["optimizer.eta1=0.4", "optimizer.eta2=1.3", "optimizer.step_size_max=1.0"],
        "muon": ["optimizer.momentum=0.5", "optimizer.nesterov=false", "optimizer.iterations=3"],
        "sam": ["optimizer.rho=0.1", "optimizer.momentum=0.5", "optimizer.weight_decay=0.01"],
        "schedule_free": ["optimizer.beta=0.5", "optimizer.weight_decay=0.01"],
        "sgld": ["optimizer.temperature=0.01"],
        "sgdw": ["optimizer.momentum=0.5", "optimizer.weight_decay=0.1", "optimizer.nesterov=true"],
        "radam": ["optimizer.beta2=0.9", "optimizer.weight_decay=0.01"],
        "adabound": ["optimizer.final_lr=0.02", "optimizer.gamma=0.1"],
        "lion": ["optimizer.beta1=0.8", "optimizer.weight_decay=0.1"],
        "prodigy": ["optimizer.d0=1e-4", "optimizer.growth=2.0", "optimizer.bias_correction=true"],
        "shampoo": ["optimizer.eps=0.01"],
        "lbfgs": ["optimizer.history=3", "optimizer.flattening=0.5"],
        "levenberg_marquardt": ["optimizer.damping=0.1", "optimizer.tightened=4.0"],
        "evolution": ["optimizer.pairs=3", "optimizer.deviation=0.1"],
    },
    "schedule": {
        "constant": [],
        "step": ["schedule.step_size=2", "schedule.gamma=0.5"],
        "exponential": ["schedule.gamma=0.9"],
        "cosine": ["schedule.eta_min=0.0001"],
        "warmup_cosine": ["schedule.warmup=0.4", "schedule.start_factor=0.1"],
        "one_cycle": [],
        "warm_restarts": [],
        "reduce_on_plateau": ["schedule.patience=1", "schedule.factor=0.5", "schedule.cooldown=1"],
    },
    "initializer": {
        "normal": ["initializer.mean=0.1", "initializer.std=0.5"],
        "uniform": ["initializer.a=-0.5"],
        "xavier_normal": ["initializer.gain=1.5"],
        "xavier_uniform": ["initializer.gain=0.5"],
        "he_normal": ["initializer.mode=fan_out"],
        "he_uniform": ["initializer.a=0.1"],
        "zeros": [],
        "orthogonal": [],
        "lsuv": [],
        "siren": [],
    },
    "rule": {
        "exact": [],
        "feedback_alignment": ["rule.scale=1.0"],
        "direct_feedback_alignment": ["rule.scale=1.0"],
        "sign_symmetric": ["rule.scale=0.5"],
        "kolen_pollack": ["rule.scale=1.0", "rule.decay=0.01"],
        "weight_mirror": ["rule.scale=1.0", "rule.rate=0.02", "rule.draws=3"],
        "direct_random_targets": ["rule.scale=1.0"],
        "difference_target_propagation": ["rule.step=0.05", "rule.rate=0.02", "rule.noise=0.3", "rule.scale=0.2"],
        "predictive_coding": ["rule.rate=0.05", "rule.steps=5", "rule.variance=2.0", "rule.fixed=true"],
        "equilibrium_propagation": ["rule.beta=0.05", "rule.feedback=0.5", "rule.rate=0.3", "rule.steps=4"],
        "forward_gradient": ["rule.draws=2"],
    },
}


def configuration(rng: random.Random) -> Overrides:
    """Return a random configuration that is valid."""
    problem = rng.choice(list(TARGETS))
    target = rng.choice(list(TARGETS[problem]))
    found = [f"target={target}", *_some(TARGETS[problem][target], rng)]
    if target == "table":
        found.append(f"target.path={TABLES[problem]}")
    optimizer, schedule = _choice("optimizer", rng), _choice("schedule", rng, usual=0.5)
    network, rate = _network(target, rng), [f"optimizer.lr={_rate(rng)}"] if rng.random() < 0.8 else []
    if optimizer[0] in ("optimizer=rprop", NEWTON):  # which have no learning rate to change
        schedule = ["schedule=constant"]
    if optimizer[0] == NEWTON:  # it is for small networks and exact gradients
        network, rate = ["network.hidden=[2]", "activation=tanh"], []
    if optimizer[0] == "optimizer=rprop" and "rule=kolen_pollack" in network:  # which learns with that rate
        optimizer = ["optimizer=adam"]
    training, predicting = _training(rng), _output_and_loss(problem, rng)
    if SEVERAL & {word for text in (*network, *predicting) for word in re.findall(r"\w+", text)}:
        rule = "exact" if optimizer[0] == NEWTON else rng.choice(TAKING)
        network = [*(text for text in network if not text.startswith("rule")), f"rule={rule}"]
    # Its derivatives are those of each sample by itself, and steps of one sample have no variance.
    norms = NORMS[:1] if optimizer[0] == NEWTON or "training.batch_size=1" in training else NORMS
    return [
        f"seed={rng.randrange(1000)}",
        *found,
        *network,
        *([f"norm={rng.choice(norms)}"] if rng.random() < 0.3 else []),
        *(["network.dropout=0.2"] if rng.random() < 0.2 else []),
        *predicting,
        *optimizer,
        *rate,
        *schedule,
        *_choice("initializer", rng, usual=0.3),
        *_data(target, rng),
        *training,
    ]


def _some(parameters: Sequence[str], rng: random.Random) -> Overrides:
    return [parameter for parameter in parameters if rng.random() < 0.3]


def _choice(group: str, rng: random.Random, usual: float = 0.0) -> Overrides:
    """Return a choice of a group, with parameters; the first one with the probability ``usual`` at least."""
    names = list(CHOICES[group])
    name = names[0] if rng.random() < usual else rng.choice(names)
    return [f"{group}={name}", *_some(CHOICES[group][name], rng)]


def _rate(rng: random.Random) -> str:
    return f"{10 ** rng.uniform(-3.5, -0.5):.4g}"


def _network(target: str, rng: random.Random) -> Overrides:
    if target in ("xor", "two_moons", "spirals") and rng.random() < 0.3:  # of two inputs and one output, as the rule
        rule, hidden = ["rule=as_printed"], [2, 2]
    else:
        rule = _choice("rule", rng, usual=0.5)
        hidden = [rng.choice([2, 2, 3, 4, 5, 8, 16, 17]) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
    activation = _choice("activation", rng)
    if hidden and rng.random() < 0.2:
        activation = [f"activation=[{','.join(rng.choice(ACTIVATIONS) for _ in hidden)}]"]
    return [f"network.hidden=[{','.join(map(str, hidden))}]", *activation, *rule]


def _output_and_loss(problem: str, rng: random.Random) -> Overrides:
    if problem == "two classes" and rng.random() < 0.6:
        return rng.choice(
            [
                ["output=sigmoid", "loss=binary_cross_entropy"],
                ["output=sigmoid", "loss=focal", "loss.gamma=1.5"],
                ["output=identity", "loss=hinge"],
                ["output=identity", "loss=poisson"],
            ]
        )
    if problem == "classes" and rng.random() < 0.7:
        return rng.choice(
            [
                ["output=softmax", "loss=categorical_cross_entropy"],
                ["output=softmax", "loss=kl"],
                ["output=sigmoid", "loss=categorical_cross_entropy"],
                ["output=softmax", "loss=binary_cross_entropy"],
                ["output=sigmoid", "loss=binary_cross_entropy"],
            ]
        )
    outputs = [name for name in ACTIVATIONS if name != "softmax" or problem == "classes"]
    return [f"output={rng.choice(['identity', *outputs])}", *_choice("loss", rng)]


def _data(target: str, rng: random.Random) -> Overrides:
    found = [] if target == "wine" and rng.random() < 0.5 else [f"data.samples={rng.randint(8, ROWS)}"]
    return [
        *found,
        f"data.validation={rng.choice([0.0, 0.2, 0.2, 0.35])}",
        f"data.noise={rng.choice([0.0, 0.0, 0.1, 0.5])}",
    ]


def _training(rng: random.Random) -> Overrides:
    return [
        f"training.epochs={rng.choice([0, 1, 2, 5, 9, 14])}",
        f"training.batch_size={rng.choice(['null', '1', '1', '3', '8', '16', '17', '1000'])}",
        f"training.tolerance={rng.choice(['0', '1e-6', '0.05', '0.5'])}",
        f"training.patience={rng.choice(['null', 'null', '1', '3'])}",
        f"training.measure_every={rng.choice(['null', 'null', '1', '2', '5'])}",
        f"training.dtype={rng.choice(['float64', 'float64', 'float32'])}",
    ]


def sweep(rng: random.Random, number: int) -> Overrides:
    """Return the overrides of a sweep about a random configuration, whose runs make a few stacks.

    Every third one is a random search, every third pairs values.
    """
    fixed = {"optimizer": NEWTON}
    while fixed.get("optimizer") == NEWTON:  # because rates are varied
        fixed = {override.partition("=")[0]: override for override in configuration(rng)}
    seed = rng.randrange(1000)
    varied = {
        "seed": f"seed=range({seed},{seed + 3})",
        "optimizer.lr": f"optimizer.lr={_rate(rng)},{_rate(rng)},{_rate(rng)}",
        "training.tolerance": "training.tolerance=1e-6,0.2",
    }
    options = [f"hydra.launcher.workers={rng.choice([1, 2])}"]
    if number % 3 == 1:
        varied["optimizer.lr"] = "optimizer.lr=tag(log,interval(1e-3,0.3))"
        varied["initializer"] = "initializer=glob(*normal)"
        options += ["hydra.sweeper.random=6", f"hydra.sweeper.random_seed={rng.randrange(100)}"]
    elif number % 3 == 2:
        varied["data.noise"] = "data.noise=0,0.1,0.2"
        options.append("hydra.sweeper.zip=[[optimizer.lr,data.noise]]")
    else:
        varied["loss"] = "loss=half_squared_error,log_cosh"
    kept = [text for key, text in fixed.items() if key not in varied and key.partition(".")[0] not in varied]
    return [*kept, *varied.values(), *options]


def table(file: str) -> str:
    """Return the content of a CSV file, whose labels in the last column are numbers, or names of classes."""
    rng = random.Random(file)
    rows = [
        [
            f"{rng.gauss(0, 1):.4f}",
            f"{rng.uniform(1, 9):.4f}",
            f"{rng.gauss(3, 2):.4f}",
            rng.choice(["low", "mid", "high"]),
        ]
        for _ in range(ROWS)
    ]
    chosen = rows if file == TABLES["classes"] else [row[:-1] for row in rows]
    header = ["width", "height", "weight", "rank"][: len(chosen[0])]
    return "\n".join(map(",".join, [header, *chosen])) + "\n"
