"""What trains a stack step by step: its parameters, buffers and state, and what it measures."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.compiled.machine_code import available
from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array, Optimizer, Rule
from chainrule.components.random import Random
from chainrule.engine.backprop import Backprop, Batch, Truth, mean_loss, separate, true_outputs
from chainrule.engine.choice import Engine
from chainrule.engine.compiling import Compiled, pays
from chainrule.engine.epoch import Epoch
from chainrule.engine.layers import States, differs_in_training, require_shape, taken
from chainrule.engine.measuring import default_interval
from chainrule.engine.network import Call, Pass, placed, require_run_axis
from chainrule.engine.onlooker import Onlooker, Watch
from chainrule.engine.parts import Part, Parts, parts_of
from chainrule.engine.points import CompiledPoint, pays_for_points
from chainrule.engine.rate import Rate
from chainrule.engine.recorded import why_not
from chainrule.engine.scores import score_of
from chainrule.engine.stack import Stack
from chainrule.engine.transforms import Transforms, Update
from chainrule.engine.update import planned_update, unread


@dataclass(frozen=True)
class Checkpoint:
    """From where training goes on: with it and their generators, runs have the bits of a training without a break.

    Arrays have a run axis. A machine that goes on from them changes them.

    Attributes:
        epoch: how many epochs have been trained.
        step: how many steps.
        theta: the parameters that are trained.
        states: what activations keep.
        optimizer, rule, transforms: the states of these components.
        rate: the state of the schedule; empty where the rate is constant.
        evaluations: how often each run has evaluated more than one gradient a step, and losses: ``(2, runs)``.
    """

    epoch: int
    step: int
    theta: Array
    states: States
    optimizer: dict[str, Array]
    rule: dict[str, Array]
    transforms: list[dict[str, Array]]
    rate: dict[str, Array]
    evaluations: Array


Step = tuple[Update, Callable[[Batch], Array], Batch]  # of a step: update, gradient and samples


class Planned(Sequence[Step]):
    """The steps with the batches of one size; each is planned when NumPy does it first.

    Args:
        samples: the batches.
        plan: plans the step with one of them.
    """

    def __init__(self, samples: Sequence[tuple[Array, Array]], plan: Callable[[Array, Array], Step]) -> None:
        self._samples, self._plan = samples, plan
        self._steps: list[Step | None] = [None] * len(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, place: Any) -> Any:
        step = self._steps[place]
        if step is None:
            step = self._steps[place] = self._plan(*self._samples[place])
        return step


class Machine:
    """Everything allocated to train a stack: parameters, gradients, optimizer state, buffers of the passes.

    Args:
        stack: the runs, with their parameters as they are now.
        rate: changes learning rates; None if they are constant.
        before: from where the stack goes on; None at the first step.
        seen: who sees the steps, and which runs of the stack at its start these are; None for nobody.
        compiled: what was recorded of the steps of these runs before; None for nothing.

    Attributes:
        theta: the parameters that are trained, ``(runs, parameters)``.
        compiled: machine code for its steps; None if NumPy does them.
        kept: those that are measured and saved; the same array, unless the optimizer or a transform recommends others.
        states: what activations keep beside parameters, which is saved, too.
        measure_every: epochs between two points of the curves.
    """

    def __init__(
        self,
        stack: Stack,
        rate: Rate | None,
        before: Checkpoint | None = None,
        seen: tuple[Onlooker, Array] | None = None,
        compiled: Compiled | None = None,
    ) -> None:
        self._stack, self._rate = stack, rate
        self._optimizer = optimizer = rate.optimizer if rate else stack.optimizer
        self.theta = stack.theta.copy()
        random = Random(stack.randoms, self.theta.dtype)
        self._offered: dict[str, Any] = {"shape": stack.shape, "rng": random}
        chosen = placed(stack.activation, stack.output, stack.norm, stack.shape.layers)
        differs = stack.dropout is not None or any(differs_in_training(one.activation) for one in chosen)
        self._rng = random if differs else None  # of layers, in training
        if before is None:
            self._trained = self._step = 0
            self._state: dict[str, Array] = given(optimizer, "init", **self._offered)(self.theta)
            self._rule_state = {name: array.copy() for name, array in stack.rule_state.items()}
            self._further, transformed = np.zeros((2, len(self.theta)), int), None
        else:
            self._trained, self._step, self._further = before.epoch, before.step, before.evaluations
            self._state, self._rule_state, transformed = before.optimizer, before.rule, before.transforms
        self.states = taken(stack.states, np.arange(len(self.theta)))
        require_run_axis(f"optimizer={optimizer.name}", self._state, len(self.theta))
        lr = getattr(optimizer, str(optimizer.rate), None)
        offered = {**self._offered, "lr": lr}
        self._transforms: Transforms = Transforms(stack.transforms, self.theta, offered, transformed)
        self._keeps = type(optimizer).kept is not Optimizer.kept or self._transforms.keep
        self.kept = np.empty_like(self.theta) if self._keeps else self.theta
        full = stack.batch_size is None or stack.batch_size >= stack.train.shape[2]
        same = full and all(sampling.is_permutation for sampling in stack.samplings)  # whatever the epoch
        # Bits may depend on the order of axes in memory, which arrays made by indexing do not promise.
        train = np.ascontiguousarray(stack.train)
        samples = separate(train, stack.shape.widths[0])
        self._plan_points(train, samples, same)
        self._watch = self._watched(*seen, [samples]) if seen else None
        # An onlooker that may want each step is shown each, so that NumPy does them.
        wanted = not seen or seen[0].skips
        self._plan_steps(samples, random, same, wanted, compiled)
        self._measured: Array | None = None  # gradients of all samples at the current parameters

    def _plan_points(self, train: Array, samples: tuple[Array, Array], same: bool) -> None:
        """Plan what is measured, and when.

        Args:
            train: the training samples.
            samples: the same, ``x`` under a row of ones and ``y``.
            same: whether every epoch is one step with all of them.
        """
        stack = self._stack
        # What is measured is not the first step's gradient if that is elsewhere, random, or of another mode.
        is_random = "rng" in asked(type(stack.rule), "gradients")
        self._known = same and not (self._keeps or self._rng or is_random)  # whether it is the next step's gradient
        self._norms = self._known if stack.gradient_norms is None else stack.gradient_norms
        self._whole: tuple[Backprop, Batch] | None = None
        if self._known or self._norms:
            whole = self._backprop_of(samples, self.kept, None)
            batch = whole.batch(*samples)
            self._whole = whole, batch
            self._looked_at = {"train": (whole.forward, batch.first, batch.truth)}
        else:
            self._looked_at = {"train": self._looking_at(train)}
        validation = np.ascontiguousarray(stack.validation)
        if validation.shape[2]:
            self._looked_at["validation"] = self._looking_at(validation)
        self._scores = {}
        for part, (_, _, truth) in self._looked_at.items():
            name, score = score_of(stack.task, stack.loss, truth.y)
            self._scores[f"{part}/{name}"] = part, score
        counts = train.shape[2], validation.shape[2]
        self.measure_every = stack.measure_every or default_interval(
            stack.shape, stack.epochs, *counts, known=self._known, norms=self._norms
        )

    def _plan_steps(
        self, samples: tuple[Array, Array], random: Random, same: bool, wanted: bool, compiled: Compiled | None
    ) -> None:
        """Plan the steps of an epoch, and what does them.

        Args:
            samples: all training samples, ``x`` under a row of ones and ``y``.
            random: random numbers of training.
            same: whether every epoch is one step with all of them.
            wanted: whether machine code may do them.
            compiled: what was recorded of them before.
        """
        stack, (x, _) = self._stack, samples
        size = min(stack.batch_size or x.shape[2], x.shape[2])
        steps = stack.epochs * (1 if same else -(-x.shape[2] // size))
        wanted = wanted and pays(stack.engine, steps, stack.shape.size)
        self.compiled = compiled or (Compiled(available()) if wanted else None)
        self._epoch = None if same else Epoch(stack, size, wanted)
        self._samples = parts_of(self._epoch) if self._epoch else [Part.whole(*samples)]
        batches = self._epoch.parts if self._epoch else [[samples]]
        count = sum(map(len, batches))
        transforms = self._transforms if stack.transforms else None
        about = self._optimizer, stack.rule, transforms, self._offered, self._further

        def step(backprop: Backprop, batch: Batch) -> Step:
            made = planned_update(*about, backprop, batch), backprop, batch
            found: Step = self._watch.step(made, count) if self._watch else made
            return found

        def planned(part: Sequence[tuple[Array, Array]]) -> Sequence[Step]:
            backprop = self._backprop_of(part[0], self.theta, random)
            return Planned(part, lambda x, y: step(backprop, backprop.batch(x, y)))

        self._parts: list[Sequence[Step]]
        if self._known and self._whole:
            self._parts = [[step(*self._whole)]]
        else:
            self._parts = [planned(part) for part in batches]

    @property
    def curve_names(self) -> list[str]:
        """Names of what ``measure``, ``scores`` and ``set_rate`` return."""
        layers = range(1, self._stack.shape.layers + 1) if self._norms else ()
        norms = [f"gradient_norm/layer_{layer}" for layer in layers]
        losses = [f"{part}/loss" for part in self._looked_at]
        return [*losses, *norms, *self._scores, *([self._rate.curve] if self._rate else [])]

    @property
    def engine(self) -> Engine:
        """What does the steps."""
        return Engine.COMPILED if self.compiled and not self.compiled.reason else Engine.NUMPY

    @property
    def fallback(self) -> str:
        """Why NumPy does the steps although machine code was to; "" if there is nothing to say."""
        return self.compiled.reason if self.compiled else ""

    def evaluations(self, row: int) -> tuple[int, int]:
        """Return how often a run's training has evaluated gradients, and losses alone."""
        gradients, losses = self._further[:, row].tolist()
        return self._step + gradients, losses

    def train(self, start: int, end: int) -> None:
        """Train every run from epoch ``start`` to epoch ``end``."""
        self._trained = end
        rate = self._rate
        if start < end and self._measured is not None and not self._epoch:  # the first step's gradients are known
            start, self._step = start + 1, self._step + 1
            (((update, _, _),),) = self._parts
            # With the rate set when they were measured.
            if update(self.theta, self._measured, self._state, self._step) is not None:
                raise unread(self._optimizer)
        self._measured = None
        alike = len(self._parts) == 1 and not rate  # epochs, which can be done at once
        while start < end:
            count = end - start
            if self._epoch:
                count = min(count, self._epoch.ahead)
                self._epoch.draw(start, count)
                if self._samples[0].x.array is not self._epoch.x:
                    self._samples = parts_of(self._epoch)
            for place in range(0, count, count if alike else 1):
                if rate:
                    rate.set(start + place)
                for number in range(len(self._parts)):
                    self._do(number, count if alike else 1, place)
            start += count

    def _do(self, number: int, epochs: int, place: int) -> None:
        """Do the steps with the batches of a part, in so many epochs from the drawn one of this place on."""
        batches, theta, first, epoch = self._parts[number], self.theta, self._step + 1, self._epoch

        size = len(batches)

        def plain(start: int, count: int) -> None:
            for turn in range(start, start + count):
                at = turn % size
                if epoch and (at == 0 or turn == start):
                    epoch.fill(place + turn // size)
                update, backprop, batch = batches[at]
                if update(theta, backprop(batch), self._state, first + turn) is not None:
                    raise unread(self._optimizer)

        done, steps = 0, epochs * size
        while self.compiled and done < steps:
            seen = min(self._watch.onlooker.next_wanted(first + done) - first, steps) if self._watch else steps
            self.compiled.train(self._changed, self._samples[number], first, seen, plain, place, done)
            if self._watch:
                self._watch.skipped(first + seen - 1)
            done = min(seen + 1, steps)
            plain(seen, done - seen)
        plain(done, steps - done)
        self._step += steps

    def _loss_of(self, part: str) -> Array:
        """Return the losses over some samples, ``(runs,)``, after the passes that measure them."""
        forward, first, truth = self._looked_at[part]
        if part == "train" and self._whole:
            backprop, batch = self._whole
            backprop(batch)
        else:
            forward.forward(first)
        return mean_loss(forward, self._stack.loss, truth)

    @functools.cached_property
    def _points(self) -> dict[str, CompiledPoint]:
        """What measures by machine code, if that pays and nobody looks at what the passes leave."""
        stack, found = self._stack, dict[str, CompiledPoint]()
        blocks = {"train": stack.train, "validation": stack.validation}
        points = len(self.theta) * (stack.epochs // self.measure_every + 1)
        samples = points * sum(blocks[part].shape[2] for part in self._looked_at)
        if self._watch or not pays_for_points(samples, stack.shape.size):
            return found
        read = replace(self._changed, theta=self.kept)
        # A rule that adapts reads what the passes have left, if the next step takes the measured gradient.
        left = "train" if self._known and type(stack.rule).adapt is not Rule.adapt else ""
        for part in self._looked_at.keys() - {left}:
            forward, _, _ = self._looked_at[part]
            whole = Part.whole(*separate(blocks[part], stack.shape.widths[0]))
            backprop = self._whole[0] if part == "train" and self._whole else None
            found[part] = CompiledPoint(read, whole, forward, backprop, functools.partial(self._loss_of, part))
        return found

    @functools.cached_property
    def _changed(self) -> Parts:
        """What steps read and change."""
        return Parts(
            stack=self._stack,
            optimizer=self._optimizer,
            scheduled=self._rate.field if self._rate else None,
            theta=self.theta,
            states=self.states,
            state=self._state,
            rule_state=self._rule_state,
            transforms=self._transforms.own,
            evaluations=self._further,
            differs=self._rng is not None,
        )

    def measure(self) -> dict[str, Array]:
        """Return losses, and gradient norms if wanted, over all samples at the current parameters, each ``(runs,)``."""
        if self._keeps:
            recommended = self._optimizer.kept(self.theta, self._state)
            require_shape(self._optimizer.kept, recommended, self.theta.shape)
            np.copyto(self.kept, self._transforms.kept(recommended))
        points = self._points if self.compiled and not self.compiled.reason else {}
        values = {f"{part}/loss": points[part]() if part in points else self._loss_of(part) for part in self._looked_at}
        grad = self._whole[0].grad if self._whole else None
        self._measured = grad if self._known else None
        if self._norms:
            assert grad is not None
            for layer, place in enumerate(self._stack.shape.slices()[1:], 1):
                values[f"gradient_norm/layer_{layer}"] = np.sqrt(np.square(grad[:, place]).sum(axis=1))
        if self._watch:
            self._watch.measured(self._trained, self.kept, self._looked_at["train"][0], grad, values)
        return values

    def scores(self) -> dict[str, Array]:
        """Return R2, or accuracy, of what was measured last, each ``(runs,)``."""
        return {name: score(self._looked_at[part][0].a[-1]) for name, (part, score) in self._scores.items()}

    def outputs(self, row: int) -> dict[str, Array]:
        """Return what the network of a run gave when it was measured, ``(outputs, samples)``, for each part."""
        return {part: forward.a[-1][row].copy() for part, (forward, _, _) in self._looked_at.items()}

    def set_rate(self, epoch: int, loss: Array) -> dict[str, Array]:
        """Set and return the learning rates of the coming epoch, ``(runs,)``; return nothing if they are constant.

        Args:
            epoch: how many epochs have been trained.
            loss: the loss measured after these epochs, ``(runs,)``.
        """
        if not self._rate:
            return {}
        self._rate.measured(loss, epoch)
        return {self._rate.curve: self._rate.set(epoch)}

    def take(self, runs: Array) -> "Machine":
        """Return a machine that continues with the chosen runs."""
        seen = (self._watch.onlooker, self._watch.runs[runs]) if self._watch else None
        compiled = self.compiled.take(runs) if self.compiled else None
        return machine_of(self._stack.take(runs), self.checkpoint(runs), seen, compiled)

    def checkpoint(self, runs: Array) -> Checkpoint:
        """Return from where the chosen runs go on, in arrays of its own."""
        return Checkpoint(
            epoch=self._trained,
            step=self._step,
            theta=self.theta[runs],
            states=taken(self.states, runs),
            optimizer=_chosen(self._state, runs),
            rule=_chosen(self._rule_state, runs),
            transforms=self._transforms.states(runs),
            rate=self._rate.states(runs) if self._rate else {},
            evaluations=self._further[:, runs],
        )

    def _watched(self, onlooker: Onlooker, runs: Array, everything: Sequence[tuple[Array, Array]]) -> Watch:
        """Return what shows an onlooker the steps and points of this machine.

        Args:
            onlooker: who sees them.
            runs: which runs of the stack at its start these are.
            everything: all training samples, ``x`` under a row of ones and ``y``, as a list of one batch.
        """
        planned: list[tuple[Backprop, Batch]] = []
        measured, _, _ = self._looked_at["train"]

        def backward() -> Backprop:
            if not planned:
                made = self._backprop(measured, None)
                planned.append((made, made.batch(*everything[0])))
            backprop, batch = planned[0]
            backprop.backward(batch)  # the forward pass is that which has measured
            return backprop

        whole, outputs = self._whole, true_outputs(measured, self._stack.loss)
        ((x, y),) = everything
        return Watch(
            onlooker,
            runs,
            self._stack.randoms,
            optimizer=self._optimizer,
            changing=(self._state, self._rule_state, self.states),
            steps=self._step,
            samples=(x[:, 1:], y[:, :outputs]),
            backward=(lambda: whole[0]) if whole else backward,
        )

    def _looking_at(self, samples: Array) -> tuple[Pass, Call, Truth]:
        """Return a forward pass at the parameters that are measured, the call that reads samples, and their truth."""
        return _looking_at(self._stack, samples, self.kept, self.states)

    def _pass(self, samples: int, theta: Array, rng: Random | None = None) -> Pass:
        return _pass(self._stack, theta, self.states, samples, rng)

    def _backprop_of(self, samples: tuple[Array, Array], theta: Array, random: Random | None) -> Backprop:
        """Return buffers for batches of one size.

        Args:
            samples: one of the batches: ``x`` under a row of ones, and ``y``.
            theta: the parameters that the passes read.
            random: random numbers of training; None to measure.
        """
        return self._backprop(self._pass(samples[0].shape[2], theta, self._rng if random else None), random)

    def _backprop(self, forward: Pass, random: Random | None) -> Backprop:
        stack = self._stack
        return Backprop(forward, stack.loss, stack.rule, self._rule_state, np.empty_like(forward.theta), random)


def machine_of(
    stack: Stack,
    since: Checkpoint | None = None,
    seen: tuple[Onlooker, Array] | None = None,
    compiled: Compiled | None = None,
) -> Machine:
    """Return the machine of a stack, at its first step or at that of a checkpoint; see :class:`Machine`."""
    if since:
        stack = replace(stack, theta=since.theta, states=since.states)
    rate = None if stack.schedule.is_constant else Rate(stack, since.rate if since else None)
    return Machine(stack, rate, since, seen, compiled)


def why_plain(stack: Stack) -> str:
    """Return why the steps of a stack cannot be recorded, a sentence; "" if they can."""
    machine = machine_of(replace(stack, engine=Engine.NUMPY))
    return why_not(machine._changed, machine._samples[0])


def _chosen(arrays: dict[str, Array], runs: Array) -> dict[str, Array]:
    return {name: array[runs] for name, array in arrays.items()}


def _pass(stack: Stack, theta: Array, states: States, samples: int, rng: Random | None = None) -> Pass:
    """Return the forward pass of a stack at these parameters and states; ``rng`` is that of layers in training."""
    layers: dict[str, Any] = {"norm": stack.norm, "states": states, "dropout": stack.dropout}
    return Pass(stack.shape, theta, stack.activation, stack.output, samples, rng, **layers)


def _looking_at(stack: Stack, samples: Array, theta: Array, states: States) -> tuple[Pass, Call, Truth]:
    """Return the forward pass of a stack over some samples, the call that reads them, and what is true of them."""
    x, y = separate(samples, stack.shape.widths[0])
    forward = _pass(stack, theta, states, x.shape[2])
    return forward, forward.first(x), Truth.of(y, true_outputs(forward, stack.loss))


def looked_at(one: Stack, samples: Array, theta: Array, states: States) -> tuple[Array, float]:
    """Return what a single run gives for some samples, ``(outputs, samples)``, and their mean loss.

    Args:
        one: the run.
        samples: ``(1 + inputs + outputs, 1, samples)``, as in :class:`Stack`.
        theta: its parameters, ``(parameters,)``.
        states: what its activations keep.
    """
    forward, first, truth = _looking_at(one, np.ascontiguousarray(samples), theta[None], states)
    forward.forward(first)
    return forward.a[-1][0], float(mean_loss(forward, one.loss, truth)[0])
