"""The standard output of the command, which may be a full disk or a reader that has gone."""

import io
import os
import sys
from typing import Any

from chainrule.errors import ChainruleError


class Output(io.TextIOWrapper):
    """A standard output that cannot end what is being done: what it does not take is dropped, and said at the end.

    Attributes:
        failure: why something was dropped; None if nothing was.
    """

    failure: OSError | None = None

    @classmethod
    def of_process(cls) -> "Output | None":
        """Put one in the place of the standard output; None where it is closed, or a program's own."""
        stream: Any = sys.stdout
        if stream is None:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it is open as long as the process
        if type(stream) is not io.TextIOWrapper or stream is not sys.__stdout__:
            return None
        encoding, errors, by_line = stream.encoding, stream.errors, stream.line_buffering
        output = cls(stream.detach(), encoding, errors, line_buffering=by_line)
        sys.stdout = sys.__stdout__ = output  # type: ignore[misc]
        return output

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what was kept back, if that is possible."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def require_whole(self) -> None:
        """Say whether everything was written; a reader that has gone, such as ``head``, did not want more.

        Raises:
            ChainruleError: something was dropped.
        """
        self.flush()
        if self.failure and not isinstance(self.failure, BrokenPipeError):
            raise ChainruleError(f"the standard output takes nothing ({self.failure}); what was trained is recorded.")

    def _drop(self, error: OSError) -> None:
        self.failure = self.failure or error
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # also for what is kept back, and for the exit
