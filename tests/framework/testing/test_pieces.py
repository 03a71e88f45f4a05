"""Activations with several pieces, as somebody may write them: sound ones pass the kit, and faults are found."""

from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Activation, Rule
from chainrule.engine.network import product
from chainrule.testing import check
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class Largest(Activation):
    """Its kinks lie where two pieces are equal, wherever that is; the number of pieces is a field."""

    pieces: Annotated[int, Ge(1), doc("pieces of each unit")] = 3

    def forward(self, z):
        return np.max(np.split(z, self.pieces, axis=1), axis=0)

    def backward(self, grad_a, z, a):
        return np.concatenate([grad_a * (piece == a) for piece in np.split(z, self.pieces, axis=1)], axis=1)


@GALLERY.sound
class OfAnotherField(Largest):
    """The number of pieces follows from a field of another name."""

    pieces: ClassVar = property(lambda self: self.degree + 1)
    degree: Annotated[int, Ge(1), doc("pieces of each unit but one")] = 1


@GALLERY.sound
class Bilinear(Activation):
    """``v w`` of neighbours: a piece need not be one block of rows."""

    pieces = 2

    def forward(self, z):
        return z[:, ::2] * z[:, 1::2]

    def backward(self, grad_a, z, a):
        grad_z = np.empty_like(z)
        grad_z[:, ::2], grad_z[:, 1::2] = grad_a * z[:, 1::2], grad_a * z[:, ::2]
        return grad_z


@GALLERY.sound
class Rectified(Activation):
    """``v max(0, w)``: a declared kink of one of the pieces."""

    pieces = 2
    kinks = (0.0,)

    def forward(self, z):
        v, w = np.split(z, 2, axis=1)
        return v * np.maximum(w, 0)

    def backward(self, grad_a, z, a):
        v, w = np.split(z, 2, axis=1)
        return np.concatenate([grad_a * np.maximum(w, 0), grad_a * v * (w > 0)], axis=1)


@GALLERY.sound
class Weighed(Activation):
    """``v + gain tanh(w)`` with a gain that is learned for each unit."""

    gain: Annotated[float, doc("factor before training")] = 0.5

    pieces = 2
    trained_per_unit = ("gain",)

    def forward(self, z):
        v, w = np.split(z, 2, axis=1)
        return v + self.gain * np.tanh(w)

    def backward(self, grad_a, z, a):
        slope = 1 - np.tanh(np.split(z, 2, axis=1)[1]) ** 2
        return np.concatenate([grad_a, grad_a * self.gain * slope], axis=1)

    def field_gradient(self, name, grad_a, z, a):
        return grad_a * np.tanh(np.split(z, 2, axis=1)[1])


@GALLERY.sound
class Noisy(Bilinear):
    """Random in training, with a number for each unit."""

    def forward(self, z, *, rng):
        product = super().forward(z)
        return product if rng is None else product + rng.normal(*product.shape[1:])


@GALLERY.flawed("gradient")
class Swapped(Bilinear):
    def backward(self, grad_a, z, a):
        return super().backward(grad_a, z[:, ::-1], a)


@GALLERY.flawed("gradient", others=True)
class ForgottenGate(Weighed):
    def backward(self, grad_a, z, a):
        grad_z = super().backward(grad_a, z, a).copy()
        grad_z[:, a.shape[1] :] = 0
        return grad_z


@GALLERY.flawed("field_gradients")
class WrongFieldGradient(Weighed):
    def field_gradient(self, name, grad_a, z, a):
        return grad_a * np.tanh(np.split(z, 2, axis=1)[0])


@GALLERY.flawed("shapes", others=True)
class AsManyAsZ(Bilinear):
    def forward(self, z):
        return np.repeat(super().forward(z), 2, axis=1)


@GALLERY.flawed("shapes", others=True)
class OnePieceOfTheGradient(Bilinear):
    def backward(self, grad_a, z, a):
        return super().backward(grad_a, z, a)[:, ::2]


@GALLERY.flawed("kinks")
class UndeclaredKinkOfAPiece(Rectified):
    kinks = ()


@GALLERY.flawed("slope_at_kinks")
class WrongSlopeAtKink(Rectified):
    def backward(self, grad_a, z, a):
        v, w = np.split(z, 2, axis=1)
        slope = np.where(w == 0, z.dtype.type(3), w > 0)
        return np.concatenate([grad_a * np.maximum(w, 0), grad_a * v * slope], axis=1)


@GALLERY.flawed("finite", others=True)
class NaiveGate(Activation):
    pieces = 2

    def forward(self, z):
        v, w = np.split(z, 2, axis=1)
        return v * np.exp(w) / (1 + np.exp(w))

    def backward(self, grad_a, z, a):
        v, w = np.split(z, 2, axis=1)
        s = 1 / (1 + np.exp(-w))
        return np.concatenate([grad_a * s, grad_a * v * (s * (1 - s))], axis=1)


@GALLERY.flawed("in_range")
class TooNarrow(Largest):
    range = (0.0, np.inf)


@GALLERY.sound
class Signs(Rule):
    """Signs of the weights, whatever the rows of a layer are."""

    takes_pieces = True

    def error(self, layer, weights, deltas, state):
        return product(np.sign(weights[layer + 1]).mT, deltas[layer + 1])


@GALLERY.flawed("trained")
class FixedMatrices(Rule):
    """It says that it takes several pieces, but draws matrices for one."""

    takes_pieces = True

    def init(self, rng, widths):
        shapes = pairwise(widths[1:])
        return {f"B{layer}": rng.uniform(-0.5, 0.5, shape) for layer, shape in enumerate(shapes, 1)}

    def error(self, layer, weights, deltas, state):
        return product(state[f"B{layer}"], deltas[layer + 1])


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)


def test_what_is_wrong_at_a_row_names_the_gradient_of_its_unit():
    (found,) = [failure.message for failure in check(Swapped).failures if failure.check == "gradient"]
    assert found.startswith("Swapped.backward returns ")
    assert "the central difference of forward is" in found
