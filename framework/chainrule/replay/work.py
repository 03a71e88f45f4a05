"""How much of a run instruments may see, by counted work: what they do costs little of what training costs.

Counts are the same on every machine, in every stack and by every engine, so that findings are, too. What is counted are
the multiply-adds of products, and, in the same unit, the calls of NumPy, which are most of a small network's time.
"""

from dataclasses import dataclass
from functools import cached_property

from chainrule.engine.choice import Engine
from chainrule.engine.compiling import pays
from chainrule.engine.network import Shape

STEP_CALLS = 20_000  # multiply-adds that take as long as the calls of NumPy in a forward and a backward pass
_MACHINE_CALLS = 500  # likewise, where machine code does the steps
_POINT_CALLS = 400_000  # and as those of all instruments at a point
BACKWARD_CALLS = 200_000  # and as those of the backward pass there
_AFTER_CALLS = 300_000  # and as those of the step after it, which NumPy does, and of all instruments that see it
_ELEMENT = 8  # of a number that instruments look at
# Of training, at most, for each: looking at points, their backward passes, the steps after them, curvatures, and points
# between.
SHARE = 0.03
_FEWEST, _FEWEST_BACKWARD, _FEWEST_STEPS = 5, 2, 3  # that are seen whatever they cost
_PLACES = 2  # at which the curvature is taken, usually
PRODUCTS = 16  # with the Hessian of a large network
_SMALL, _LARGE = 32, 200  # parameters: up to which the whole Hessian is taken whatever it costs, and if it fits
_LEAST = 256  # samples over which a curvature is taken, where there are as many


@dataclass(frozen=True)
class Work:
    """The work of a run.

    Attributes:
        shape: of its network.
        epochs: that it trained.
        per_epoch: steps of an epoch.
        samples: training samples.
        others: validation samples.
        engine: what does the steps.
    """

    shape: Shape
    epochs: int
    per_epoch: int
    samples: int
    others: int
    engine: Engine = Engine.AUTO

    @property
    def forward(self) -> int:
        """Multiply-adds of eq. 1 for a sample."""
        return sum(self._layers)

    @property
    def step(self) -> int:
        """Multiply-adds of eq. 1, 6 and 5 for a sample; the first layer passes no error on."""
        return 3 * self.forward - self._layers[0]

    @property
    def _layers(self) -> list[int]:
        return [rows * (1 + before) for before, rows in zip(self.shape.widths, self.shape.rows[1:], strict=False)]

    @cached_property
    def training(self) -> int:
        """What training takes."""
        calls = _MACHINE_CALLS if pays(self.engine, self.epochs * self.per_epoch, self.shape.size) else STEP_CALLS
        return self.epochs * (self.per_epoch * calls + self.step * self.samples)

    @property
    def backward(self) -> int:
        """What a backward pass over all training samples takes."""
        return BACKWARD_CALLS + self.step * self.samples

    @property
    def looking(self) -> int:
        """What it takes to look at a point without a backward pass."""
        return _POINT_CALLS + _ELEMENT * sum(self.shape.rows[1:]) * self.samples

    @property
    def between(self) -> int:
        """What it takes to measure a point of the curves that the run has not."""
        return STEP_CALLS + self.forward * (self.samples + self.others)

    def points(self, cost: int, most: int, fewest: int = _FEWEST) -> int:
        """Return how many points of a cost may be seen."""
        return min(most, max(fewest, int(SHARE * self.training) // cost))

    def backward_points(self, most: int) -> int:
        """Return at how many points there may be a backward pass."""
        return self.points(self.backward, most, _FEWEST_BACKWARD)

    def steps(self, most: int) -> int:
        """Return after how many points the next step may be seen."""
        return self.points(_AFTER_CALLS + self.step * self.samples // self.per_epoch, most, _FEWEST_STEPS)

    def hessian(self, samples: int) -> int:
        """Return what the whole Hessian takes, by differences of gradients."""
        return 2 * STEP_CALLS + (1 + self.shape.size) * self.step * samples

    def products(self, samples: int) -> int:
        """Return what products with the Hessian take, each by one more gradient."""
        return (1 + PRODUCTS) * (STEP_CALLS + self.step * samples)

    @property
    def curvature(self) -> tuple[bool, int]:
        """Whether the curvature at a point is that of the whole Hessian, and over how many samples it is taken."""
        allowed = int(SHARE * self.training) // _PLACES
        if self.shape.size <= _SMALL or (self.shape.size <= _LARGE and self.hessian(self.samples) <= allowed):
            return True, self.samples
        fitting = (allowed // (1 + PRODUCTS) - STEP_CALLS) // self.step
        return False, min(self.samples, max(_LEAST, fitting))
