"""What tests of the conformance kit share: correct components, and faulty ones beside them."""

import dataclasses

import pytest

from chainrule.testing import Outcome, check, kit
from chainrule.testing.subjects import Subject
from sizes import one_in


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
        return pytest.mark.parametrize(("cls", "checks", "others"), one_in(6, self._entries, ci=2))


def failures(cls, **options):
    """The checks that a component fails, and what is said of each."""
    return {failure.check: failure.message for failure in check(cls, **options).failures}


def require(cls, checks, others=False, **options):
    """The component fails these checks, in sentences that name it."""
    found = failures(cls, **options)
    if "effective" not in checks and any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:]):
        found.pop("effective", None)  # it was derived from another component, whose parameters it need not read
    assert set(found) == checks or (others and set(found) > checks), found
    for message in found.values():
        assert cls.__name__ in message or cls.name in message
        assert message.endswith(".")
        assert "Traceback" not in message


class Ways:
    """Components that are wrong only in some way that a look at the usual case does not show.

    Each is listed with the way and with one check that must fail. The test runs that check alone.
    """

    def __init__(self):
        self._entries, self._correct = [], []

    def __call__(self, way, check_name):
        """Add the class below."""

        def add(cls):
            cls.__doc__ = cls.__doc__ or "Made for a test."
            cls = dataclasses.dataclass(frozen=True)(cls)
            self._entries.append(pytest.param(cls, check_name, id=f"{way}: {cls.__name__}"))
            return cls

        return add

    def correct(self, cls):
        """Add a component without a fault, from which faulty ones are derived."""
        cls = dataclasses.dataclass(frozen=True)(cls)
        self._correct.append(pytest.param(cls, id=cls.__name__))
        return cls

    @property
    def every(self):
        return pytest.mark.parametrize(("cls", "name"), self._entries)

    @property
    def every_correct(self):
        return pytest.mark.parametrize("cls", self._correct)


def caught(cls, name):
    """Return what one check says of a component that must fail it."""
    subject = Subject(cls)
    (check,) = (check for check in kit.checks_of(subject.kind) if check.name == name)
    result = kit.perform(subject, check)
    assert result.outcome is Outcome.FAILED, result
    assert cls.__name__ in result.message
    assert result.message.endswith(".")
    return result.message
