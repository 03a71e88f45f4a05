"""What tests of the conformance kit share: correct components, and faulty ones beside them."""

import dataclasses

import pytest

from chainrule.testing import check


class Gallery:
    """Components of one kind, and the checks that each must fail."""

    def __init__(self):
        self._entries = []

    def sound(self, cls):
        """A component that passes every check."""
        return self.flawed()(cls)

    def flawed(self, *checks, others=False):
        """A component that fails these checks; and ``others``, where what is wrong shows in more than one way."""

        def add(cls):
            if "__dataclass_params__" not in vars(cls):
                cls.__doc__ = cls.__doc__ or "Made for a test."
                cls = dataclasses.dataclass(frozen=True)(cls)
            self._entries.append(pytest.param(cls, set(checks), others, id=cls.__name__))
            return cls

        return add

    @property
    def every(self):
        return pytest.mark.parametrize(("cls", "checks", "others"), self._entries)


def failures(cls, **options):
    """The checks that a component fails, and what is said of each."""
    return {failure.check: failure.message for failure in check(cls, **options).failures}


def require(cls, checks, others=False, **options):
    """The component fails these checks, in sentences that name it."""
    found = failures(cls, **options)
    assert set(found) == checks or (others and set(found) > checks), found
    for message in found.values():
        assert cls.__name__ in message or cls.name in message
        assert message.endswith(".")
        assert "Traceback" not in message
