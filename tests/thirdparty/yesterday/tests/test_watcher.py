"""The watcher: what it does at the end, and where it watches."""

from chainrule.watchers import Session

import chainrule_yesterday
from chainrule_yesterday.watcher import Bell


def test_it_rings_once_at_the_end(capsys):
    Bell().finished(None)
    assert capsys.readouterr().out == "\a"


def test_it_watches_where_a_person_sits():
    watchers = chainrule_yesterday.chainrule_watchers
    assert [type(watcher) for watcher in watchers(Session(interactive=True))] == [Bell]
    assert watchers(Session(interactive=False)) == []
