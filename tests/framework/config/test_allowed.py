"""Recorded words train; what else they could do must be named by the person."""

import pytest

from chainrule.config.allowed import refused

HARMLESS = [
    "-m",
    "--multirun",
    "seed=range(20)",
    "seed=0,1",
    "activation=tanh,relu",
    "activation=[tanh,relu]",
    "+experiment=article",
    "optimizer.lr=tag(log,interval(1e-4,1))",
    "transforms=[clip,ema]",
    "rule.rate=${optimizer.lr}",
    "target.path='my table.csv'",
    "target.path=/data/hydra.csv",
    "~data.noise",
    "tracking=none",
    "tracking=mlflow",
    "tracking.experiment=fraud",
    "plugins.block=[lynx]",
    "hydra.sweep.dir=multirun/first",
    "hydra.sweep.subdir=${hydra.job.num}-${activation.name}",
    "hydra.sweep.subdir=${hydra.job.num}_${now:%S%f}",
    "hydra/sweeper=compare",
    "hydra/sweeper=stacked_optuna",
    "hydra.sweeper.zip=[[optimizer.lr,data.noise]]",
    "hydra.sweeper.contenders=['mine: activation=relu optimizer.lr=0.1']",
    "++hydra.sweeper.space={optimizer.lr:'interval(1e-4,1)'}",
    "hydra.launcher.workers=2",
    "hydra.launcher.backend=dask",
    "hydra/job_logging=disabled",
    "hydra.job.chdir=true",
    "hydra.verbose=true",
    "hydra.output_subdir=null",
]
OTHERS = [
    "--cfg",
    "--config-dir=/tmp/theirs",
    "-cd",
    "--experimental-rerun=/tmp/a.pickle",
    "hydra.mode=RUN",
    "hydra.searchpath=[file:///tmp/theirs]",
    "hydra/job_logging=theirs",
    "+hydra/callbacks=theirs",
    "+hydra.callbacks.c._target_=os.system",
    "hydra.callbacks={c:{_target_:os.system}}",
    "hydra.job_logging.handlers.file.filename=/tmp/out",
    "+hydra.job_logging.handlers.h={class:logging.handlers.HTTPHandler,host:example.org,url:/}",
    "hydra.job.env_set={LD_PRELOAD:/tmp/a.so}",
    "hydra.job.name=../../out",
    "hydra.output_subdir=../../out",
    "hydra/launcher=submitit_local",
    "hydra.launcher._target_=os.system",
    "+hydra.launcher.setup=[id]",
    "hydra.launcher.address=tcp://example.org:8786",
    "hydra.launcher.address=10.0.0.1:6379",
    "hydra.sweeper._target_=os.system",
    "hydra.sweeper.storage=mysql://example.org/x",
    "hydra.sweeper.storage=/home/me/.bashrc",
    "hydra.sweeper.params={hydra.job_logging.root.level:DEBUG}",
    "hydra.sweeper.params={tracking.uri:/tmp/x}",
    "hydra.sweeper.params={tracking:'{name: mlflow, uri: /tmp/x}'}",
    "hydra.sweeper.contenders=['mine: tracking.uri=/tmp/x']",
    "hydra.sweeper.contenders=['mine: hydra/callbacks=x']",
    "tracking.uri=http://example.org",
    "++tracking.uri=/tmp/x",
    "tracking={name:mlflow,uri:/tmp/x}",
    "tracking.experiment=${oc.env:AWS_SECRET_ACCESS_KEY}",
    "optimizer@hydra.callbacks.c=adam",
    "+optimizer._target_@hydra.x=1",
    "seed=${oc.decode:x}",
    "target.path=http://example.org/a.csv",
    "+x={_target_:os.system}",
    "seed",
    "",
    "transforms=" + 300 * "[" + 300 * "]",
    "seed=" + ",".join(map(str, range(30_000))),
]


@pytest.mark.parametrize("word", HARMLESS)
def test_what_only_trains_need_not_be_named(word):
    assert refused([word]) == []


@pytest.mark.parametrize("word", OTHERS, ids=lambda word: word[:60])
def test_what_could_do_more_is_refused(word):
    assert refused([word, "seed=1", word]) == [word]
