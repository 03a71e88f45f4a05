"""The classes of samples."""

from chainrule.components.contracts import Array


def classes_of(y: Array) -> Array:
    """Return the class of each sample from ``y (samples, outputs)``: one-hot, or a single output of 0 or 1."""
    classes: Array = y.argmax(axis=1) if y.shape[1] > 1 else (y[:, 0] >= 0.5).astype(int)
    return classes
