"""Which runs of a sweep can be compared: those whose losses, or scores, are about the same."""

from collections.abc import Iterable, Mapping, Sequence

from chainrule.records.outcome import Outcome

Pairs = tuple[tuple[str, str], ...]


def by_target(outcomes: Sequence[Outcome]) -> Mapping[str, Sequence[Outcome]]:
    """Return outcomes by what they are to learn, in words; under an empty name if it is the same.

    A run of which that is not known, because it failed, is put to those with which it shares most settings.
    """
    names = differing(outcome.measured.target for outcome in outcomes if outcome.measured)
    if len(names) < 2:
        return {"": outcomes}
    known = {frozenset(o.settings.items()): names[o.measured.target] for o in outcomes if o.measured}
    found: dict[str, list[Outcome]] = {name: [] for name in names.values()}
    for outcome in outcomes:
        own = frozenset(outcome.settings.items())
        nearest = own if own in known else max(known, key=lambda settings: len(own & settings))
        found[names[outcome.measured.target] if outcome.measured else known[nearest]].append(outcome)
    return found


def differing(things: Iterable[Pairs]) -> dict[Pairs, str]:
    """Return the different ones among things, each with what sets it apart, such as ``sine`` or ``loss.delta=0.1``.

    Args:
        things: keys with their values; the first key is that of the component.
    """
    different = list(dict.fromkeys(things))
    if not different:
        return {}
    component, _ = different[0][0]
    names = [dict(each).get(component, "") for each in different]
    if len(set(names)) == len(different):
        return dict(zip(different, names, strict=True))
    shared = set.intersection(*map(set, different))
    apart = [[f"{key}={value}" for key, value in each if (key, value) not in shared] for each in different]
    return {each: ", ".join(own) for each, own in zip(different, apart, strict=True)}
