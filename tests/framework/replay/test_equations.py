"""Every equation of a step is written with the numbers of the run, and its parts give what it says."""

import re

import pytest

import replaying
from chainrule.replay.equations import OTHER, RIGHT, is_prose, sections
from chainrule.replay.formulas import value
from replaying import CASES, MAZUR, explained
from sizes import one_in

SUM = re.compile(r"^[-()·+\d. e*]+$")  # what can be computed


def computed(text):
    """What a side of an equation comes to, or None if it is no plain sum of products."""
    return eval(text.replace("·", "*"), {}) if SUM.fullmatch(text) and "..." not in text else None


def by_symbol(of):
    return {equation.symbol: equation for section in sections(of) for equation in section.equations}


@pytest.mark.parametrize("name", one_in(3, [name for name in CASES if name not in ("digits", "diverged")]))
def test_numbers_in_the_middle_come_to_the_number_at_the_end(name, afresh):
    replaying.declare_cubed()
    (of,) = explained(CASES[name], 2).steps
    seen = 0
    for equation in by_symbol(of).values():
        *middle, end = equation.sides
        for side in middle:
            found = computed(side)
            if found is not None and "->" not in end:
                seen += 1
                assert found == pytest.approx(float(end), rel=2e-4, abs=2e-5), str(equation)
    assert seen >= (1 if of.mixes else 4), "nothing was compared"


@pytest.mark.parametrize("name", one_in(3, CASES))
def test_each_number_at_the_end_is_that_of_the_arrays(name, afresh):
    replaying.declare_cubed()
    (of,) = explained(CASES[name], 2).steps
    found, step = by_symbol(of), of.step
    for layer in range(1, of.shape.layers + 1):
        for kind, arrays in (("z", step.z), ("a", step.a)):
            for unit, number in enumerate(of.of_sample(arrays, layer)):
                assert found[f"{kind}_{unit + 1}^({layer})"].sides[-1] == value(number)
        delta = of.exact.delta[layer][:, of.sample] if of.replaces else of.of_sample(step.delta, layer)
        for unit, number in enumerate(delta):
            assert found[f"delta_{unit + 1}^({layer})"].sides[-1] == value(number)
    gradients = [e.sides[-1] for symbol, e in found.items() if symbol.startswith("dL/d")]
    grad = of.exact.grad if of.replaces else step.grad[0]
    count = of.shape.slices()[-1].stop
    assert gradients == list(map(value, grad[:count]))
    updates = [e.sides[-1].split(" -> ")[-1] for e in found.values() if e.arrow]
    assert updates == list(map(value, step.after[0, :count]))


def test_the_article_s_notation():
    (of,) = explained([], 1).steps
    found = by_symbol(of)
    assert found["z_1^(1)"].sides[0] == "b_1^(1) + x_1 w_11^(1) + x_2 w_12^(1)"
    assert found["z_2^(2)"].sides[0] == "b_2^(2) + a_1^(1) w_21^(2) + a_2^(1) w_22^(2)"
    assert found["a_2^(1)"].sides[0] == "g_1(z_2^(1))"
    assert found["L"].sides[0] == "1/2 sum (y_true - y_pred)^2"
    assert found["delta_1^(3)"].sides[0] == "-(y_true - y_pred)·g_3'(z_1^(3))"
    assert found["delta_2^(1)"].sides[0] == "(delta_1^(2) w_12^(2) + delta_2^(2) w_22^(2))·g_1'(z_2^(1))"
    assert found["dL/dw_12^(1)"].sides[0] == "delta_1^(1) x_2"
    assert str(found["w_12^(1)"]).startswith("w_12^(1) <- w_12^(1) - lr dL/dw_12^(1) = ")
    assert {equation.mark for symbol, equation in found.items() if symbol.startswith("d")} == {RIGHT}


def test_a_published_example_is_written_with_its_digits(afresh):
    words = [*replaying.declare_mazur(), "training.epochs=1"]
    found = by_symbol(explained(words, 1).steps[0])
    for name, digits in MAZUR.items():
        number = found[name].sides[-1].split(" -> ")[-1]
        assert f"{float(number):.8f}" == f"{float(digits):.8f}", name


def test_softmax_and_its_loss_are_one_formula():
    (of,) = explained(replaying.SOFTMAX, 1).steps
    delta = by_symbol(of)["delta_1^(2)"]
    assert delta.sides[:2] == ("dL/dz_1^(2)", "p - y")
    assert by_symbol(of)["z_1^(2)"].sides[0] == "b_1^(2) + a_1^(1) w_1,1^(2) + a_2^(1) w_1,2^(2)"


def test_a_rule_is_shown_beside_what_is_exact():
    (of,) = explained(["rule=as_printed"], 1).steps
    found = by_symbol(of)
    (about,) = [section.remark for section in sections(of) if section.title.startswith("Deltas")]
    assert about.startswith("rule=as_printed replaces eq. 5 and eq. 6. The formulas printed in the article")
    assert found["dL/dw_12^(2)"].mark == OTHER
    assert f"says {value(of.step.grad[0, 8])}, which the run uses; exact is {value(of.exact.grad[8])}" in (
        found["dL/dw_12^(2)"].note
    )
    assert found["dL/dw_11^(2)"].mark == RIGHT


def test_what_adam_keeps_is_shown_before_and_after():
    (of,) = explained(["optimizer=adam"], 2).steps
    note = by_symbol(of)["w_11^(1)"].note
    assert re.fullmatch(r"mean \S+ -> \S+; square_mean \S+ -> \S+", note)


def test_a_stranger_s_formula_is_used(afresh):
    replaying.declare_cubed()
    (of,) = explained(CASES["a stranger's activation"], 1).steps
    assert by_symbol(of)["a_1^(1)"].sides[1].endswith("^3 / 3")


def test_units_that_dropout_leaves_out_are_named():
    (of,) = explained(["network.dropout=0.6", "network.hidden=[6]"], 1).steps
    notes = [equation.note for symbol, equation in by_symbol(of).items() if symbol.startswith("a_")]
    assert "left out of this step by dropout" in notes


def test_large_networks_are_no_prose():
    assert is_prose(explained([], 1).steps[0])
    assert not is_prose(explained(replaying.DIGITS, 1).steps[0])
