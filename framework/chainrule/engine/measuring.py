"""How often a run is measured where nobody says it: so seldom that measuring costs little beside training."""

from chainrule.engine.network import Shape

_POINTS = 320  # of a curve, at most; MLflow draws no more
_SHARE = 10  # training has so many times the multiply-adds of measuring, at least


def drawn_interval(epochs: int) -> int:
    """Return the epochs between two points of a curve that has as many points as are drawn, 320 at most."""
    return max(1, -(-epochs // (_POINTS - 1)))


def default_interval(
    shape: Shape, epochs: int, training: int, validation: int, *, known: bool = False, norms: bool = False
) -> int:
    """Return the epochs between two points, so that all points have a tenth of the multiply-adds of training.

    A curve has 320 points at most, and both its ends, whatever they cost. Only products count, and only these numbers:
    what a stack does on another machine or beside other runs does not.

    Args:
        shape: of the network.
        epochs: how many a run trains, at most.
        training: number of training samples.
        validation: number of validation samples.
        known: whether measuring the training samples is what the next step needs anyway, as with full batches.
        norms: whether gradients are measured besides, by a backward pass.
    """
    layers = [rows * (1 + before) for before, rows in zip(shape.widths, shape.rows[1:], strict=False)]
    forward = sum(layers)  # eq. 1, of one sample
    step = 3 * forward - layers[0]  # and eq. 6 and 5; the first layer passes no error on
    of_training = 0 if known else step if norms else forward
    point = of_training * training + forward * validation
    points = epochs * step * training // (_SHARE * point) if point else epochs + 1
    affordable = -(-epochs // (points - 1)) if points > 1 else epochs
    return max(drawn_interval(epochs), affordable)
