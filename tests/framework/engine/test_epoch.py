"""The order of the samples in an epoch."""

import numpy as np

from chainrule.config.compose import compose_settings
from chainrule.engine.epoch import Epoch
from chainrule.runs.execute import _stack
from chainrule.runs.prepare import prepare


def test_an_epoch_takes_every_sample_once_in_an_order_of_its_own():
    run = prepare(compose_settings(["data.samples=20", "data.validation=0", "training.batch_size=6"]))
    epoch = Epoch(_stack([run]), 6)
    orders = []
    for _ in range(2):
        epoch.shuffle()
        orders.append(np.concatenate([y.ravel() for part in epoch.parts for _, y in part]))
    assert not np.array_equal(*orders)
    for order in orders:
        assert np.array_equal(np.sort(order), np.sort(run.samples.train[-1]))
    assert run.shuffle.bit_generator.seed_seq.spawn_key == (3,)  # data, start and rule have 0, 1 and 2
