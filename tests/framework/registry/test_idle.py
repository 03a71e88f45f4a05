"""What takes long at the end of a sweep is done in a process that has nothing to do, or here."""

from chainrule.registry.idle import elsewhere, offered


def test_it_is_done_here_unless_somebody_offers_to_do_it():
    asked = []

    def do(function, *arguments):
        asked.append(function)
        return function(*arguments) + 1

    assert elsewhere(max, 1, 2) == 2
    with offered(do):
        assert elsewhere(max, 1, 2) == 3
    assert elsewhere(max, 1, 2) == 2
    assert asked == [max]
