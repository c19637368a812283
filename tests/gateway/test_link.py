"""The link between control and a worker: what is sent together comes together, in order, up to the end."""

import asyncio
import socket

import pytest

from gateway.link import Link
from gateway.messages.base import Message


class Note(Message, frozen=True):
    number: int


@pytest.mark.parametrize(("most", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (32, [5])])
def test_what_is_there_is_handed_out_at_once_but_no_more_than_asked_for(most, sizes):
    async def talk():
        here, there = socket.socketpair()
        one, other = await Link.open(here, Note), await Link.open(there, Note)
        for number in range(5):
            one.send(Note(number))
        await one.close()
        batches = [batch async for batch in other.batches(most)]
        await other.close()
        return batches

    batches = asyncio.run(talk())
    assert [note.number for batch in batches for note in batch] == [0, 1, 2, 3, 4]
    assert [len(batch) for batch in batches] == sizes


def test_messages_one_by_one():
    async def talk():
        here, there = socket.socketpair()
        one, other = await Link.open(here, Note), await Link.open(there, Note)
        one.send(Note(1))
        one.send(Note(2))
        await one.close()
        heard = [note.number async for note in other]
        await other.close()
        return heard

    assert asyncio.run(talk()) == [1, 2]
