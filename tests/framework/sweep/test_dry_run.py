"""What a sweep would do, told before anything is done."""

from sweeping import SHORT, command


def test_a_dry_run_lists_jobs_and_stacks_and_writes_nothing(tmp_path):
    done = command("-m", *SHORT, "seed=range(40)", "activation=tanh,relu", "hydra.sweeper.dry_run=true")
    assert "80 runs\n" in done.stdout
    assert "  79  training.epochs=4 training.batch_size=16 tracking=none seed=39 activation=relu\n" in done.stdout
    assert "linear, 2-2 tanh, gradient_descent" in done.stdout
    assert "nothing was trained" in done.stdout
    assert not list(tmp_path.iterdir())
