"""Record what the package of AdaStop's authors decides, for two agents: ``adastop.json``.

Run once, in an environment with adastop 0.1.3, and again only to record another version or other cases::

    python tests/reference/record_adastop.py

With 4 runs of each agent between 2 looks, or 3 between 3, there are few enough permutations for all of them to be used,
so that nothing is random. The package compares the size of a difference with a quantile of the differences with
their signs; so ``alpha`` is one half of the probability with which equal agents are called different.
"""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
from adastop import MultipleAgentsComparator

ALPHA, PERMUTATIONS = 0.025, 10_000
LOOKS = {4: 2, 3: 3}  # by runs of each agent between two looks


def main() -> None:
    rng = np.random.default_rng(1986)
    cases = [
        case(
            each, np.round(np.stack([rng.standard_normal(each * looks), rng.standard_normal(each * looks) + shift]), 6)
        )
        for each, looks in LOOKS.items()
        for shift in np.linspace(-3, 3, 30)
    ]
    head = {"adastop": metadata.version("adastop"), "alpha": ALPHA}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append('"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]")
    Path(__file__).with_name("adastop.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def case(each: int, values: np.ndarray) -> dict[str, object]:
    """Return the values of both agents, the decision about the first, and how many runs of each it took."""
    looks = LOOKS[each]
    comparator = MultipleAgentsComparator(n=each, K=looks, B=PERMUTATIONS, alpha=ALPHA, seed=0)
    while not comparator.is_finished:
        seen = each * (comparator.k + 1)
        comparator.partial_compare({"first": values[0, :seen], "second": values[1, :seen]}, verbose=False)
    (decision,) = comparator.decisions.values()
    return {"each": each, "values": values.tolist(), "decision": decision, "runs": int(comparator.n_iters["first"])}


if __name__ == "__main__":
    main()
