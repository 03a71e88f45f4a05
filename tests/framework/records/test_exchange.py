"""A network in a file predicts in onnxruntime what chainrule predicts, whatever its components are."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import chainrule
from chainrule import Activation, ChainruleError
from chainrule.cli import export_onnx
from chainrule.compiled.nodes import OPERATIONS
from chainrule.records import exchange
from chainrule.registry.loaded import installed

onnx = pytest.importorskip("onnx", reason="onnx is not installed: chainrule[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: chainrule[onnx]")

ACTIVATIONS = sorted(installed().names("activation"))
LOSSES = sorted(installed().names("loss"))


@pytest.fixture(scope="module")
def base():
    return chainrule.settings("training.epochs=2", "data.samples=24")


def trained(base, hidden=(4, 3), dtype="float64", **components):
    """Return a run with these components, briefly trained."""
    network = dataclasses.replace(base.network, hidden=hidden)
    kind = type(base.training.dtype)
    training = dataclasses.replace(base.training, dtype=kind(dtype), batch_size=8)
    (run,) = chainrule.train([dataclasses.replace(base, network=network, training=training, **components)])
    return run


def in_runtime(predictor, x):
    """Return what onnxruntime predicts for inputs ``(inputs, samples)``."""
    session = onnxruntime.InferenceSession(exchange.serialized(predictor), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.T})[0].T


def requires_equal(predictor, x, tolerance=1e-6):
    wanted = predictor.outputs(x)
    found = in_runtime(predictor, x)
    assert found.dtype == np.float64
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def wide(inputs, samples=64):
    """Return inputs from the middle to far out."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(inputs, samples)) * np.geomspace(0.1, 300, samples)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_the_same_in_hidden_layers(base, name):
    requires_equal(trained(base, activation=chainrule.component("activation", name)).predictor, wide(2))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_the_same_before_others_and_as_output(base, name):
    one = chainrule.component("activation", name)
    plain = trained(base).predictor
    normed = trained(base, norm=one).predictor if one.pieces == 1 else plain
    requires_equal(normed, wide(2))
    target = chainrule.component("target", "digits") if one.min_units > 1 else base.target
    run = trained(base, output=one, target=target)
    requires_equal(run.predictor, wide(run.shape.widths[0]))


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_makes_of_outputs_is_in_the_file(base, name):
    loss, predictor = chainrule.component("loss", name), trained(base).predictor
    settings = dataclasses.replace(predictor.settings, loss=loss)
    shape = chainrule.Shape((2, 3, 2 * loss.min_outputs))
    theta = np.random.default_rng(0).normal(size=shape.size)
    scaled = exchange.Scaling(np.zeros((1, 1)), np.ones((1, 1)))
    own = dataclasses.replace(predictor, settings=settings, shape=shape, theta=theta, y_scaling=scaled)
    requires_equal(own, wide(2))


@examples(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(ACTIVATIONS)), min_size=1, max_size=3),
    st.sampled_from(["float64", "float32"]),
    st.integers(0, 3),
)
def test_random_networks_are_the_same(base, layers, dtype, seed):
    chosen = [chainrule.component("activation", name) for _, name in layers]
    hidden = tuple(max(units, one.min_units) for (units, _), one in zip(layers, chosen, strict=True))
    run = trained(dataclasses.replace(base, seed=seed), hidden, dtype, activation=tuple(chosen))
    rng = np.random.default_rng(seed)
    requires_equal(run.predictor, rng.normal(size=(2, 32)), 1e-6 if dtype == "float64" else 1e-3)


UFUNCS = {name: getattr(np, name) for name in OPERATIONS if hasattr(np, name) and name not in ("where", "clip")}
INSIDE = {"arcsin", "arccos", "arctanh"}  # defined between -1 and 1
ABOVE = {"sqrt", "log", "log2", "log10", "log1p", "power", "float_power", "arccosh"}


def formula_of(ufunc):
    """Return an activation that applies a ufunc, and gives numbers; of two it compares neighbouring units."""

    @dataclasses.dataclass(frozen=True)
    class Own(Activation, name=f"own_{ufunc.__name__}"):
        def forward(self, z):
            inner = np.tanh(z) * 0.99 if ufunc.__name__ in INSIDE else z * z + 1 if ufunc.__name__ in ABOVE else z
            arguments = (inner, inner[:, ::-1])[: ufunc.nin]
            if "?" in ufunc.types[0] and ufunc.__name__.startswith(("logical", "bitwise", "invert")):
                arguments = [each > 0.5 for each in arguments]
            return np.where(ufunc(*arguments), 1.5, -2.0) if is_of_truth(ufunc) else ufunc(*arguments)

        def backward(self, grad_a, z, a):
            return grad_a

    return Own()


def is_of_truth(ufunc):
    return any(types.endswith("->?") and not types.startswith("O") for types in ufunc.types[:1])


@pytest.mark.parametrize("name", sorted(UFUNCS))
def test_every_operation_is_that_of_numpy(base, name):
    predictor = of_output(base, formula_of(UFUNCS[name]), (2, 3))
    requires_equal(predictor, np.random.default_rng(3).normal(size=(2, 200)) * 2, 1e-9)


def of_output(base, output, widths, **settings):
    """Return a predictor of one layer whose output is a formula."""
    shape = chainrule.Shape(widths)
    scaling = [exchange.Scaling(np.full((n, 1), 0.25), np.full((n, 1), 1.5)) for n in (widths[0], widths[-1])]
    network = dataclasses.replace(base, output=output, activation=(), **settings)
    schema = dataclasses.replace(trained(base).predictor.schema)
    theta = np.random.default_rng(2).normal(size=shape.size)
    return exchange.Predictor(network, shape, theta, {}, *scaling, None, schema)


def test_the_error_function_is_exact_everywhere(base):
    special = pytest.importorskip("scipy.special")
    for ufunc in (special.erf, special.erfc, special.ndtr, special.expit):

        @dataclasses.dataclass(frozen=True)
        class Own(Activation, name=f"of_{ufunc.__name__}"):
            def forward(self, z, ufunc=ufunc):
                return ufunc(z)

            def backward(self, grad_a, z, a):
                return grad_a

        requires_equal(of_output(base, Own(), (1, 1)), np.linspace(-40, 40, 4001)[None], 1e-14)


@dataclasses.dataclass(frozen=True)
class Pieces(Activation, name="of_pieces"):
    """Views, sums, masks, products and what is filled in parts."""

    def forward(self, z):
        runs, units, samples = z.shape
        folded = z.reshape(runs, units // 2, 2, samples)
        halves = np.concatenate([folded[:, :, 0], -folded[:, ::-1, 1]], axis=1)
        halves[:, 0] = halves.max(axis=1)
        halves[:, 1:3] *= 2.0
        turned = halves.swapaxes(1, 2).copy()
        turned[..., 0] += turned.sum(axis=2)
        back = turned.swapaxes(1, 2)
        np.add(back, 1.0, out=back, where=back < 0)
        mixed = np.matmul(np.tri(units)[None] / units, back)
        return mixed + np.add.accumulate(z, axis=1) + back.mean(axis=1, keepdims=True)

    def backward(self, grad_a, z, a):
        return grad_a


def test_whatever_a_formula_does_with_axes_is_the_same(base):
    requires_equal(of_output(base, Pieces(), (3, 4)), wide(3), 1e-12)


@dataclasses.dataclass(frozen=True)
class Among(Activation, name="among"):
    """Depends on the other samples."""

    def forward(self, z):
        return z - z.mean(axis=-1, keepdims=True)

    def backward(self, grad_a, z, a):
        return grad_a


class First(Among, name="first"):
    def forward(self, z):
        return z - z[..., :1]


class Looking(Among, name="looking"):
    def forward(self, z):
        return z if z.max() > 0 else -z


class Gamma(Among, name="gamma"):
    def forward(self, z):
        from scipy.special import gammaln

        return gammaln(z)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (Among(), "output=among: it adds up over samples"),
        (First(), "output=first: it looks at single samples"),
        (Looking(), "output=looking: it adds up over several axes"),
        (Gamma(), "output=gamma: it calls gammaln, for which ONNX has no operation"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_name(base, one, reason):
    with pytest.raises(ChainruleError, match=f"ONNX cannot express {reason}"):
        exchange.serialized(of_output(base, one, (2, 2)))


def test_columns_missing_values_and_classes_are_in_the_file(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(5, 2, 60), "colour": rng.choice(["red", "green", "blue"], 60)})
    frame["kind"] = np.where(frame["size"] + (frame["colour"] == "red") > 5, "pear", "apple")
    frame.loc[3, "size"] = np.nan
    run = chainrule.run(
        *("target.missing=median", "target.text=onehot", "target.standardize=true", "training.epochs=3"),
        *("output=softmax", "loss=categorical_cross_entropy"),
        data=frame,
        quiet=True,
    )
    written = chainrule.export_onnx(run, tmp_path / "net.onnx")
    assert written.difference < 1e-6
    assert str(written).startswith(f"{tmp_path / 'net.onnx'}: x (samples, 4) to y (samples, 2)")
    model = onnx.load(tmp_path / "net.onnx")
    told = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert told["inputs"] == ["size", "colour=blue", "colour=green", "colour=red"]
    assert told["classes"] == ["apple", "pear"]
    x = run.predictor.inputs({name: frame[name] for name in ("size", "colour")}, str)
    assert np.isnan(x).any()
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x.T})[0], run.predictor.outputs(x).T, atol=1e-12)


def test_the_command_writes_the_network_of_a_run_and_the_best_of_a_sweep(tmp_path, capsys):
    chainrule.run("training.epochs=3", "tracking=none", directory="run", quiet=True)
    export_onnx.main(["run", "net.onnx"])
    assert capsys.readouterr().out.startswith("net.onnx: x (samples, 2) to y (samples, 1); onnxruntime predicts the")
    with pytest.raises(ChainruleError, match=r"net.onnx exists already; name another file, or write --overwrite\."):
        export_onnx.main(["run", "net.onnx"])
    before = (tmp_path / "net.onnx").read_bytes()
    assert chainrule.export_onnx("run", "other.onnx").difference < 1e-12
    assert (tmp_path / "other.onnx").read_bytes() == before
    sweep = chainrule.sweep("training.epochs=3", "seed=0,1", "tracking=none", directory="sweep", quiet=True)
    export_onnx.main(["sweep", "net.onnx", "--overwrite"])
    x = np.random.default_rng(0).normal(size=(2, 9))
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x.T})[0].T, sweep.best.predict(x), atol=1e-12)


def test_no_file_is_written_where_predictions_differ(base, monkeypatch, tmp_path):
    predictor = trained(base).predictor
    monkeypatch.setitem(OPERATIONS, "negative", lambda add, x: x)
    with pytest.raises(ChainruleError, match="onnxruntime predicts other values than chainrule"):
        exchange.write(predictor, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
