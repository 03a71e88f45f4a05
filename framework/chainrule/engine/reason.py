"""Why a run stopped."""

import enum


class Reason(enum.StrEnum):
    """Why a run stopped, as records and tables write it."""

    EPOCHS = "epochs"
    CONVERGED = "converged"
    PLATEAU = "plateau"
    DIVERGED = "diverged"
    PRUNED = "pruned"
    FAILED = "failed"
    FINISHED = "finished"

    @property
    def words(self) -> str:
        """The reason in a phrase, the same in the terminal, in pictures and in trackers."""
        return _WORDS[self]


_WORDS = {
    Reason.EPOCHS: "trained for all epochs",
    Reason.CONVERGED: "converged: the training loss reached the tolerance",
    Reason.PLATEAU: "plateau: the loss did not improve any more",
    Reason.DIVERGED: "diverged: the loss or a gradient became infinite or NaN",
    Reason.PRUNED: "pruned: a search stopped it in favour of other settings",
    Reason.FAILED: "failed: it raised an error",
    Reason.FINISHED: "finished: it ended as its program wanted, which is not chainrule",
}
