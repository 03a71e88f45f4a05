"""Faulty activations that learn fields or are random, each caught by the check that is meant for it."""

from typing import Annotated, ClassVar

import numpy as np
import pytest
from annotated_types import doc

from chainrule.components.contracts import Activation
from chainrule.testing import check
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class Steep(Activation):
    """``gain tanh(z) + shift z`` learns both."""

    gain: Annotated[float, doc("of each layer")] = 1.5
    shift: Annotated[float, doc("of each unit")] = 0.3

    trained: ClassVar = ("gain",)
    trained_per_unit: ClassVar = ("shift",)

    def forward(self, z):
        return self.gain * np.tanh(z) + self.shift * z

    def slope(self, z, a):
        return self.gain * (1 - np.tanh(z) ** 2) + self.shift

    def field_gradient(self, name, grad_a, z, a):
        return grad_a * (np.tanh(z) if name == "gain" else z)


@GALLERY.flawed("field_gradients")
class SamplesAddedUp(Steep):
    """The wrong derivative of one field, only on some samples."""

    def field_gradient(self, name, grad_a, z, a):
        return super().field_gradient(name, grad_a, z, a) * (1 if name == "gain" else np.where(z > 1, 1.1, 1))


@GALLERY.flawed("field_gradients")
class ErrorForgotten(Steep):
    def field_gradient(self, name, grad_a, z, a):
        return np.tanh(z) if name == "gain" else z


@GALLERY.flawed("field_gradients")
class FieldsExchanged(Steep):
    def field_gradient(self, name, grad_a, z, a):
        return grad_a * (z if name == "gain" else np.tanh(z))


@GALLERY.flawed("learned")
class NeverLearned(Steep):
    def forward(self, z):
        return 1.5 * np.tanh(z) + 0.3 * z

    def slope(self, z, a):
        return 1.5 * (1 - np.tanh(z) ** 2) + 0.3

    def field_gradient(self, name, grad_a, z, a):
        return 0 * z


@GALLERY.sound
class Noisy(Activation):
    """``z`` times noise around 1, in training."""

    noise: Annotated[float, doc("its deviation")] = 0.5

    def forward(self, z, *, rng, layer):
        return 1 * z if rng is None else z * (1 + self.noise * layer * rng.normal(*z.shape[1:]))

    def slope(self, z, a):
        return np.where(z == 0, 1, a / np.where(z == 0, 1, z)).astype(z.dtype)


@GALLERY.flawed("gradient_in_training")
class SlopeOfTheMeasuredOne(Noisy):
    def slope(self, z, a):
        return np.ones_like(z)


@GALLERY.flawed("random_in_training", others=True)
class DrawsByItself(Noisy):
    def forward(self, z, *, rng):
        return 1 * z if rng is None else z * (1 + np.random.normal(size=z.shape).astype(z.dtype))  # noqa: NPY002


@GALLERY.flawed("random_in_training", others=True)
class OneNumberForAllRuns(Noisy):
    def forward(self, z, *, rng):
        return 1 * z if rng is None else z * (1 + self.noise * rng.normal(*z.shape[1:])[:1])


@GALLERY.flawed("random_in_training")
class SameNumbersAlways(Noisy):
    def forward(self, z, *, rng):
        return 1 * z if rng is None else 2 * z


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)


def test_a_sentence_names_field_and_layer():
    (failure,) = check(FieldsExchanged).failures
    assert failure.message.startswith("FieldsExchanged.field_gradient gives ")
    assert " for gain on layer 1, but the central difference of the whole loss is " in failure.message
    assert failure.figures["returned"] != pytest.approx(failure.figures["expected"])
