"""The rules of the queue, over all queues of up to three utterances, against a table written another way."""

from __future__ import annotations

import itertools

import pytest

from gateway.calls import rules
from gateway.calls.requests import Say
from gateway.calls.utterance import Utterance

KINDS = ("none", "dtmf", "any")
# (interruptible, on its way out)
ENTRIES = [*((kind, False) for kind in KINDS), ("any", True)]
QUEUES = [queue for length in range(4) for queue in itertools.product(ENTRIES, repeat=length)]


def queue_of(entries):
    queue = []
    for number, (kind, ending) in enumerate(entries):
        entry = Utterance(f"u{number}", "c", number, "", "v", kind, None, Say(requested_ns=0))
        entry.ending = "stopped" if ending else None
        queue.append(entry)
    return queue


@pytest.mark.parametrize("mode", ["append", "interrupt", "replace"])
def test_what_a_mode_cuts_and_where_the_new_one_goes(mode):
    for entries in QUEUES:
        queue = queue_of(entries)
        alive = [number for number, (_, ending) in enumerate(entries) if not ending]
        if mode == "append":
            expected = []
        else:
            reach = alive[:1] if mode == "interrupt" else alive
            expected = [number for number in reach if entries[number][0] == "any"]
        cut = rules.cut_by_mode(queue, mode)
        assert [entry.key for entry in cut] == expected

        behind = rules.protected_current(queue, mode)
        for entry in cut:
            entry.ending = "replaced"
        queue.insert(rules.place(queue, mode, behind), "new")
        left = [entry if entry == "new" else entry.key for entry in queue]
        left = [entry for entry in left if entry == "new" or (entry in alive and entry not in expected)]
        if mode == "append":
            assert left[-1] == "new"
        elif alive and entries[alive[0]][0] != "any":
            assert left[:2] == [alive[0], "new"]
        else:
            assert left[0] == "new"


def test_what_a_digit_and_a_stop_cut():
    for entries in QUEUES:
        queue = queue_of(entries)
        alive = [number for number, (_, ending) in enumerate(entries) if not ending]
        assert [entry.key for entry in rules.cut_by_digit(queue, "5")] == [
            number for number in alive if entries[number][0] in ("dtmf", "any")
        ]
        assert [entry.key for entry in rules.cut_by_stop(queue, "all")] == alive
        assert [entry.key for entry in rules.cut_by_stop(queue, "current")] == alive[:1]
