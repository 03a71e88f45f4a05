"""Whatever is typed, or written in YAML: it is done, or it gets one sentence, soon, and nothing is left behind."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answering import REFUSED, chainrule, refused, require_answered
from chainrule.components.parameters import parameters
from chainrule.config.settings import keys
from chainrule.files.locks import exclusive
from chainrule.registry.kinds import GROUPS
from chainrule.registry.loaded import installed

DRY = ["training.epochs=0", "data.samples=9", "tracking=none"]


def pool(text):
    return text.split()


NUMBERS = ["0", "9" * 400, "9" * 5000, "10" * 15, *pool("-1 1 1e9 1e400 nan -inf 0x10 010 1:30 1_0 3.5")]
TEXTS = [
    *("a" * 3000, "'a b'", "a b", "\t", "\n", "\x00", "\udcff"),
    *pool(r"""null true ??? '' abc ä😀 a/b ../x a.b ~ * ${seed} ${x.y} ${ ${oc.env:HOME} ${now:%Y} \ " ' = a=b : %"""),
]
LISTS = [
    *("[" * 40 + "]" * 40, "[" + "1," * 3000 + "1]"),
    *pool("[] [[]] [1,[2,{a:3}]] {} {a:1} {a:{b:[c]}} [ } (1) [1,] [1"),
]
SWEEPS = pool("""1,2 a, range(3) range(nan) range(1,9,0) range(0,1e9) range(3,0) range(0,1,1e-9) range(3),4
    interval(0,1) interval(1,0) interval(nan,1) interval(0,inf) choice(1,2) choice([1],[2]) glob(*) glob(*,exclude=a*)
    sort(3,1) shuffle(1,2) tag(log,interval(1e-4,1)) tag(x,interval(0,1))""")
KINDS = sorted({kind.name for kind in GROUPS.values()})
COMPONENTS = [(kind, name) for kind in KINDS for name in installed().names(kind)]
NAMES = [name for _, name in COMPONENTS]
FIELDS = sorted({one for component in COMPONENTS for one in parameters(installed().find(*component))})
HYDRAS = pool("""hydra hydra.run.dir hydra.sweep.dir hydra.sweep.subdir hydra.job hydra.job.name hydra.job.chdir
    hydra.job.env_set hydra.output_subdir hydra.mode hydra.verbose hydra/launcher hydra/sweeper hydra/job_logging
    hydra.launcher.workers hydra.launcher.stack hydra.launcher.backend hydra.sweeper.zip hydra.sweeper.random
    hydra.sweeper.params hydra.sweeper.max_batch_size hydra.searchpath""")
SECTIONS = ["network", "data", "training", "plugins", *GROUPS]
KEYS = [*keys(), *SECTIONS, "experiment", "lr", "epochs", "x", "x.y", "", ".", "a b", *HYDRAS]
FLAGS = pool("""--cfg --cfg=job -c job --help -h --version --resolve --package=data -m --multirun --run --seed --seeds
    --mult --config-name=x --config-dir=x --config-path=x --info --hydra-help -sc -x --experimental-rerun=x --lr=3""")
OPTIONS = pool("""--budget --tunings --tuning-seeds --seeds --seed --metric --targets --space --contender --ablate
    --until-decided --max-runs --max-minutes --random-seed --out --json --accept --kind --from""")
OTHERS = pool("resume report sync predict data plugins new-plugin train chek")
ENTRIES = [*SECTIONS, "seed", "defaults", "command", "hydra"]
RAW = ["[" * 3000, "seed: 3\nseed: 4", "---\n---\n", "\tx: 1", "", "a: 010", "a: 1:30", "x: 2020-01-01", "a: 'b"]
RAW += [
    "a: &a [*a]",
    "&a {a: *a}",
    "a: b: c",
    "- 1",
    "3",
    "a: !!python/name:os.system",
    "? [a]",
    "a: !x y",
    "{",
    "<<: 3",
]
PLACES = [f"conf/{name}.yaml" for name in ("experiment/mine", "optimizer/mine", "config", "plugins")]

values = st.one_of(*map(st.sampled_from, (NUMBERS, TEXTS, LISTS, SWEEPS, NAMES)), st.text(max_size=8))
named = st.builds("{}={}".format, st.sampled_from(sorted(GROUPS)), st.sampled_from(NAMES))
own = st.builds("{}.{}={}".format, st.sampled_from(sorted(GROUPS)), st.sampled_from(FIELDS), values)
typed = st.builds("{}{}={}".format, st.sampled_from(["", "", "", "+", "++", "~"]), st.sampled_from(KEYS), values)
deleted = st.sampled_from(KEYS).map("~{}".format)
overrides = st.one_of(typed, typed, named, own, deleted, st.text(max_size=12))
flags = st.sampled_from(FLAGS)
some = st.lists(overrides, max_size=4)
commands = st.one_of(
    some.map(lambda words: [*words, *DRY]),
    some.map(lambda words: [*words, "--cfg=job"]),
    some.map(lambda words: ["-m", *words, *DRY, "++hydra.sweeper.dry_run=true"]),
    st.lists(st.one_of(flags, overrides), max_size=3).map(lambda words: [*words, *DRY]),
    some.map(lambda words: [*words, "--help"]),
    st.lists(st.one_of(st.sampled_from(OPTIONS), values, overrides), max_size=5).map(
        lambda words: ["compare", *words, "--dry-run"]
    ),
    st.tuples(st.sampled_from(OTHERS), st.lists(st.one_of(st.sampled_from(OPTIONS), values), max_size=3)).map(
        lambda pair: [pair[0], *pair[1]]
    ),
)

scalars = st.one_of(
    *map(st.sampled_from, (NUMBERS, TEXTS, NAMES)),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from([*GROUPS, *FIELDS, "name", "defaults", "hydra", "params"]), scalars),
            inner,
            min_size=1,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
documents = st.dictionaries(st.one_of(st.sampled_from(ENTRIES), scalars), trees, max_size=3).map(
    lambda tree: yaml.dump(tree, allow_unicode=False)
)
texts = st.one_of(
    documents, documents, st.sampled_from(RAW), st.text(max_size=30).filter(lambda text: text.isprintable())
)


def tried(count, strategy, check):
    """Try as many examples, which are the same in each run."""
    how = settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    how(given(strategy)(check))()


def test_generated_command_lines(extent):
    def check(words):
        require_answered(words)

    tried(extent(few=8, ci=60, all=3500), commands, check)


def test_generated_files(extent):
    @st.composite
    def written(draw):
        place, text = draw(st.sampled_from(PLACES)), draw(texts)
        package = draw(st.sampled_from(["# @package _global_\n", ""]))
        return place, package + text

    def check(file):
        place, text = file
        name = {"experiment": "experiment=mine", "optimizer": "optimizer=mine"}.get(Path(place).parent.name, "seed=1")
        require_answered([name, *DRY], files={place: text.encode("utf-8", "replace").decode()})

    tried(extent(few=4, ci=30, all=1500), written(), check)


# What was typed, and words of the sentence; found by a search before these tests, or by them.
FOUND = {
    "a list for a name": (["optimizer=[adam,rprop]"], "is a list, but a run has one"),
    "one name in a list": (["target=[wine]"], "write target=wine"),
    "an empty list": (["sampling=[]"], "write sampling=NAME"),
    "a list in a list": (["transforms=[[clip]]"], "has a list in a list"),
    "a number for a name": (["activation=3"], "a choice is a name"),
    "no number as an end": (["-m", "seed=range(nan)"], "no finite number"),
    "a step of 0": (["-m", "seed=range(1,10,0)"], "would never end"),
    "too many values": (["-m", "seed=range(0,1e9)"], "1,000,000,000 values, but a sweep has 100,000"),
    "too many for Hydra's": (["-m", "hydra/sweeper=basic", "seed=range(9999)", "data.fold=range(99)"], "989,901 runs"),
    "too many combinations": (["-m", "seed=range(9999)", "data.noise=range(99)"], "989,901 runs, but a sweep"),
    "too many draws": (["-m", "optimizer.lr=interval(0,1)", "hydra.sweeper.random=1000000000"], "1,000,000,000 runs"),
    "too many tunings": (["compare", "optimizer=adam,rprop", "--budget=1000000"], "lower --budget"),
    "too many trials": (["-m", "hydra/sweeper=stacked_optuna", "hydra.sweeper.trials=1000000"], "lower hydra.sweeper"),
    "digits": (["seed=" + "9" * 5000], "more than 1000 digits"),
    "units": ([f"network.hidden=[{10**30}]"], "network.hidden[0] must be a whole number >= 1 and <= 1e+09"),
    "parameters": (["network.hidden=[1000000,1000000]"], "GB of memory for 1,000,005,000,001 parameters"),
    "samples": (["data.samples=999999999", "network.hidden=[]"], "inputs and outputs"),
    "epochs": ([f"training.epochs={10**30}"], "training.epochs must be a whole number"),
    "workers": (["-m", "seed=1,2", "hydra.launcher.workers=5000"], "are more processes than"),
    "a log with a slash": (["hydra.job.name=a/b"], "cannot name the log"),
    "brackets": (["seed=" + "[" * 2000], "2000 deep"),
    "entries": (["network.hidden=[" + "3," * 20000 + "3]"], "lists of 20,000 entries"),
    "characters": (["x" * 70_000 + "=3"], "it has 70,000 characters"),
    "half of a list": (["optimizer=[adam,sgd"], "has [ without ]"),
    "no text": (["target.path=\udcff"], "no text in UTF-8"),
    "a rate alone": (["lr=0.1"], "write optimizer.lr=VALUE"),
    "a misspelt key alone": (["epoch=5"], "write training.epochs=VALUE"),
    "its other name": (["learning_rate=1"], "write optimizer.lr=VALUE"),
    "mse": (["loss=mse"], "did you mean 'half_squared_error'?"),
    "sgd": (["optimizer=sgd"], "did you mean 'gradient_descent'?"),
    "cross_entropy": (["loss=cross_entropy", "output=softmax"], "'categorical_cross_entropy' for output=softmax"),
    "an abbreviation": (["--mult", "seed=1,2"], "--mult is not a flag (did you mean '--multirun'?)"),
    "another option": (["compare", "optimizer=adam,rprop", "--seed", "4"], "did you mean '--seeds'?"),
    "a flag alone": (["--resolve"], "--resolve flag"),
    "no time": (["compare", "optimizer=adam,rprop", "--until-decided", "--max-minutes=nan"], "max_minutes must be"),
    "half of a quotation": (
        ["compare", "--contender=a: 'b", "--contender=c: seed=1"],
        "quotation mark without another",
    ),
    "Hydra's sweeper": (["-m", "hydra/sweeper=basic", "optimizer.lr=a,b"], "must be a number >= 0, not 'a'"),
    "Hydra's both": (["-m", "hydra/sweeper=basic", "hydra/launcher=basic", "optimizer.lr=a"], "must be a number"),
}


SLOW = {"too many tunings", "too many trials", "Hydra's sweeper", "Hydra's both"}  # which compose several jobs


@pytest.mark.parametrize(
    ("words", "sentence"),
    [pytest.param(*case, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, case in FOUND.items()],
)
def test_what_was_found(words, sentence):
    assert sentence in refused(*words)


WRITTEN = {
    "octal": ("lr: 010", "line 1: YAML reads 010 as 8; write 8, or in quotes '010'"),
    "sexagesimal": ("a: 1:30", "YAML reads 1:30 as 90"),
    "sexagesimal with a fraction": ("a: [-1:30.5]", "as -90.5"),
    "an alias of itself": ("a: &a [*a]", "aliases of aliases"),
    "deep": ("a: " + "[" * 3000 + "]" * 3000, "deep"),
    "digits": ("seed: " + "9" * 5000, "5000 digits"),
    "no text": ('a: "\\uDCFF"', r"line 1: \uDCFF is no text"),
    "a bomb": ("a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)), "100,000 values"),
    "defaults that are no list": ("defaults: 3", "must be a list"),
    "itself": ("defaults: [mine]", "refers to itself"),
    "a name in the place of a component": ("# @package _global_\noptimizer: adam", "must be a group of settings"),
    "a list in the place of a component": ("# @package _global_\noptimizer: [adam]", "Cannot merge"),
    "a log with a slash": ("# @package _global_\nhydra: {job: {name: a/b}}", "the log cannot be opened"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), WRITTEN.values(), ids=WRITTEN)
def test_what_was_found_in_files(text, sentence):
    assert sentence in refused("experiment=mine", "tracking=none", files={"conf/experiment/mine.yaml": text})


def test_numbers_that_are_read_as_they_look_are_left_alone():
    text = "# @package _global_\ndata: {noise: 0.5}\nseed: 1_0\ntraining: {epochs: 0x1, tolerance: 1e-3}\n# a: 010\n"
    done = chainrule("experiment=mine", "--cfg=job", files={"conf/experiment/mine.yaml": text})
    assert (done.code, done.left) == (0, [])
    assert "seed: 10\n" in done.out


@pytest.mark.slow
def test_a_full_disk_as_output_changes_nothing_but_the_exit_code():
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    full = "import sys; sys.argv[0] = 'chainrule'; from chainrule.__main__ import main; main()"
    line = f'{sys.executable} -c "{full}" training.epochs=1 tracking=none > /dev/full'
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "chainrule: the standard output takes nothing ([Errno 28] No space left on device); "
        "what was trained is recorded.\n"
    )
    assert len(list(Path("outputs").rglob("manifest.json"))) == 1
    closed = subprocess.run(f"{line.partition('>')[0]} >&-", shell=True, capture_output=True, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.slow
def test_a_lock_that_is_a_directory():
    Path("swept", ".sweep.lock").mkdir(parents=True)
    done = chainrule("-m", "seed=1,2", *DRY, f"hydra.sweep.dir={Path('swept').absolute()}")
    assert done.code == REFUSED
    assert "is no file of a lock" in done.err
    with pytest.raises(OSError, match="is no file of a lock"), exclusive(Path("swept"), wait=0):
        pytest.fail("it is no lock")
