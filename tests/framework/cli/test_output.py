"""A standard output that takes nothing ends no command."""

import io
import os

import pytest

from chainrule.cli.output import Output
from chainrule.errors import ChainruleError


class Full(io.RawIOBase):
    """A disk without space, or a pipe without a reader."""

    def __init__(self, error, descriptor):
        self.error, self.descriptor = error, descriptor

    def writable(self):
        return True

    def fileno(self):
        return self.descriptor

    def write(self, data):
        raise self.error


@pytest.fixture
def descriptor(tmp_path):
    number = os.open(tmp_path / "output", os.O_CREAT | os.O_WRONLY)
    yield number
    os.close(number)


def output(error, descriptor):
    return Output(io.BufferedWriter(Full(error, descriptor)), encoding="utf-8", line_buffering=True)


def test_what_it_does_not_take_is_said_at_the_end(descriptor):
    out = output(OSError(28, "No space left on device"), descriptor)
    print("a line\n" * 3, file=out)
    with pytest.raises(
        ChainruleError, match=r"takes nothing .*No space left on device.*; what was trained is recorded"
    ):
        out.require_whole()
    os.write(descriptor, b"x")  # into what is nothing now
    out.buffer.raw.write = lambda data: len(data)  # so that it can be closed


def test_a_reader_that_has_gone_wanted_no_more(descriptor):
    out = output(BrokenPipeError(32, "Broken pipe"), descriptor)
    print("a line", file=out)
    out.require_whole()
    assert isinstance(out.failure, BrokenPipeError)
    out.buffer.raw.write = lambda data: len(data)


def test_what_is_whole_is_whole():
    out = Output(io.BytesIO(), encoding="utf-8")
    print("ä", file=out)
    out.require_whole()
    assert out.buffer.getvalue() == "ä\n".encode()


def test_the_output_of_a_program_stays_its_own():
    assert Output.of_process() is None  # here it is pytest's
