"""A step of a run, explained, as an object.

What writes pages and tables is imported when one is asked for: every run that is read imports this module.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from chainrule.files import paths
from chainrule.replay.explanation import ExplainedStep, Explanation, explain, number_of, require_sample
from chainrule.replay.replays import Replay

_HEIGHT = 900  # pixels of the page in a notebook


@dataclass(frozen=True)
class Explained:
    """A step of a run, in the article's notation: printed as text, in a notebook as the page with many steps.

    Attributes:
        step: its numbers: the passes, the gradients, and their central differences.
        explanation: the run that was trained again, with this step.
    """

    step: ExplainedStep
    explanation: Explanation

    @classmethod
    def of(cls, replay: Replay, step: int | None, epoch: int | None, sample: int) -> "Explained":
        """Return a step of a run; see :meth:`chainrule.Run.explain`."""
        number = number_of(replay, step, epoch)
        require_sample(replay, number, sample)
        explanation = explain(replay, [number], sample - 1)
        return cls(explanation.steps[0], explanation)

    def write(self, path: str | Path) -> None:
        """Write the page with many steps, which opens at this one; a file that is there is replaced.

        Raises:
            OSError: it cannot be written.
        """
        from chainrule.replay.page import write_page

        write_page(self.explanation.replay, self.step.step.number, self.step.sample, paths.named(path))

    @property
    def verdict(self) -> str:
        """Whether the run ended in the recorded bits when it was trained again, and if not, what may be why."""
        return self.explanation.verdict

    def __str__(self) -> str:
        from chainrule.replay.terminal import text

        return text(self.explanation)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, for a notebook."""
        from chainrule.replay.page import chosen, fitting

        replay, number = self.explanation.replay, self.step.step.number
        page, _ = fitting(explain(replay, chosen(replay, number), self.step.sample), number)
        return f'<iframe srcdoc="{escape(page)}" style="width: 100%; height: {_HEIGHT}px; border: 0"></iframe>'
