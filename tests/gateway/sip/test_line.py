"""A dialog joined to a call, with stand-ins for both sides: orders of events that real peers seldom make."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from gateway.calls.actions import Publish
from gateway.calls.call import Local
from gateway.calls.requests import OpenCall, SipFacts
from gateway.errors import Refusal
from gateway.settings import Settings
from gateway.sip.line import Line
from sip_glue import sdp
from sip_glue.events import (
    Acknowledged,
    Answered,
    Ended,
    Failed,
    Incoming,
    Info,
    Rejected,
    Reoffered,
    Ringing,
)

D = "dialog"


def body(port=4000, version=1, formats="0 8", direction="sendrecv", address="127.0.0.1"):
    head = f"v=0\r\no=p 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
    return f"{head}m=audio {port} RTP/AVP {formats}\r\na={direction}\r\n"


def invite(offer=None, *headers):
    return Incoming(D, "i", "sip:a@b", "sip:c@d", "sip:c@d", headers, offer)


class Agent:
    """Notes what it is told. As the real one, it says once that a dialog has ended, and does no more."""

    def __init__(self):
        self.done = []
        self.over = False
        self.line = None

    def __getattr__(self, name):
        def command(dialog, *arguments):
            if self.over:
                return
            self.done.append((name, *arguments))
            if name in ("hangup", "reject"):
                self.end(Ended(D, "local", name))

        return command

    def end(self, event):
        if not self.over:
            self.over = True
            self.line.hear(event)

    def place(self, dialling, text):
        self.done.append(("place", text))

    @property
    def names(self):
        return [name for name, *_ in self.done]


class Board:
    """The switchboard and all its parts, of one call.

    ``gate``: opening and closing wait for it. ``refusal``: of what is next.
    """

    def __init__(self):
        self.registry = self.reception = self.speech = self.signalling = self
        self.gate = asyncio.Event()
        self.gate.set()
        self.refusal = None
        self.told = []
        self.closed = []
        self.made = None
        self.known = True
        self.dies = False

    async def open_call(self, order, observer):
        await self.gate.wait()
        self._maybe_refuse()
        self.order, self.observer = order, observer
        self.made = SimpleNamespace(
            id="c", state="ringing", closing=False, sip=order.sip, local=Local("127.0.0.1", 20000, 20001)
        )
        if self.dies:
            self.bury("media_worker_died")
        return self.made

    def _maybe_refuse(self):
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise Refusal(refusal, "because")

    async def say(self, call_id, say):
        self.told.append(("say", say.text))
        return SimpleNamespace(id="u")

    def answered(self, call_id, media):
        self._maybe_refuse()
        self.told.append(("answered", media.codec, media.port))
        self.made.state = "open"

    def change(self, call_id, media):
        self._maybe_refuse()
        self.told.append(("change", media.codec, media.port, media.held))

    def early(self, call_id):
        self.told.append(("early",))

    def ringing(self, call_id, code):
        self.told.append(("ringing", code))

    def digit(self, call_id, digit, duration_ms):
        self.told.append(("digit", digit))

    async def close_call(self, call_id, cause, sip_end=None):
        if not self.known:
            raise Refusal("unknown_call", "it was forgotten")
        if not self.made.closing:
            self.made.closing = True
            self.closed.append((cause, sip_end))
            await self.gate.wait()
            self.bury(cause)

    def bury(self, cause):
        self.made.closing, self.made.state = True, "closed"
        self.publish("call.closed", {"cause": cause})

    def publish(self, kind, data=None, uid=None):
        self.observer(self.made, Publish(1, kind, 0, uid, None, data or {}))


@asynccontextmanager
async def on_the_line(incoming=None, **settings):
    """A line, its stand-ins, and its task, which must end by itself."""
    agent, board = Agent(), Board()
    line = agent.line = Line(agent, board, Settings(**settings), D, sdp.Capabilities())
    stage = SimpleNamespace(agent=agent, board=board, line=line)
    if incoming is not None:
        stage.task = asyncio.create_task(line.take(incoming))
    yield stage
    async with asyncio.timeout(5):
        await stage.task
        await asyncio.gather(*line._tasks)


async def turn():
    """Let everybody do what there is to do."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_taken_acknowledged_hung_up():
    async with on_the_line(invite(body())) as stage:
        await turn()
        assert stage.agent.names == ["accept"]
        assert stage.board.told == []
        stage.line.hear(Acknowledged(D, None))
        stage.line.hear(Info(D, "5", None))
        stage.line.hear(Acknowledged(D, None))
        await turn()
        assert stage.board.told == [("answered", "PCMU", 4000), ("digit", "5")]
        stage.agent.end(Ended(D, "remote", "hung up"))
    assert stage.board.closed == [("hung_up", None)]
    assert stage.agent.names == ["accept"]


async def test_cancelled_while_the_leg_is_being_opened():
    async with on_the_line() as stage:
        stage.board.gate.clear()
        stage.task = asyncio.create_task(stage.line.take(invite(body())))
        await turn()
        stage.agent.end(Ended(D, "remote", "hung up"))
        await turn()
        assert not stage.task.done()
        stage.board.gate.set()
    assert stage.board.closed == [("cancelled", None)]


@pytest.mark.parametrize(("refusal", "code"), [("at_capacity", 503), ("target_not_allowed", 403)])
async def test_a_leg_that_is_refused_refuses_the_invite(refusal, code):
    async with on_the_line() as stage:
        stage.board.refusal = refusal
        stage.task = asyncio.create_task(stage.line.take(invite(body())))
    ((name, *refused),) = stage.agent.done
    assert (name, refused[0]) == ("reject", code)
    assert stage.board.closed == []


@pytest.mark.parametrize(("offer", "code"), [("v=0", 400), (body(formats="9"), 488), (body(port=0), 488)])
async def test_an_offer_that_cannot_be_met(offer, code):
    async with on_the_line(invite(offer)) as stage:
        pass
    assert stage.agent.done[0][:2] == ("reject", code)
    assert stage.board.made is None


async def test_the_ack_is_lost():
    async with on_the_line(invite(body())) as stage:
        await turn()
        stage.agent.end(Failed(D, 408, "no ACK"))
    assert stage.board.closed == [("failed", (408, "no ACK"))], "it was answered; the answer came to nobody"


async def test_a_reinvite_while_the_call_is_being_closed():
    async with on_the_line(invite(body())) as stage:
        await turn()
        stage.line.hear(Acknowledged(D, None))
        await turn()
        stage.board.gate.clear()
        closing = asyncio.create_task(stage.board.close_call("c", "closed"))
        await turn()
        stage.line.hear(Reoffered(D, body(5000)))
        await turn()
        assert stage.board.told == [("answered", "PCMU", 4000)]
        stage.board.gate.set()
        await closing
    assert stage.agent.names == ["accept", "hangup"]


async def test_bye_and_delete_at_the_same_moment():
    async with on_the_line(invite(body())) as stage:
        await turn()
        stage.line.hear(Acknowledged(D, None))
        await turn()
        stage.board.gate.clear()
        deleting = asyncio.create_task(stage.board.close_call("c", "closed"))
        stage.agent.end(Ended(D, "remote", "hung up"))
        await turn()
        stage.board.gate.set()
        await deleting
    assert len(stage.board.closed) == 1
    assert stage.agent.names == ["accept"]


@pytest.mark.parametrize("answered", [False, True])
async def test_the_media_worker_dies_and_the_peer_is_told(answered):
    async with on_the_line(invite(body()), sip_incoming="ring") as stage:
        await turn()
        if answered:
            stage.line.answer()
            stage.line.hear(Acknowledged(D, None))
            await turn()
        stage.board.bury("media_worker_died")
        assert stage.agent.names[-1] == "hangup"
        assert not stage.line.rings
    assert stage.board.closed == []


async def test_a_call_that_is_forgotten_before_its_dialog_has_ended():
    """Closed calls are not kept (closed_call_seconds), and the peer's part of the end may take a while."""
    async with on_the_line(invite(body(), ("X-Voxtrunk-Say", "Hi"))) as stage:
        await turn()
        stage.board.publish("utterance.finished", uid="u")
        stage.board.bury("max_seconds")
        stage.board.known = False
        stage.line._spoken()
    assert stage.agent.names == ["accept", "hangup"]


async def test_an_answer_is_given_once():
    async with on_the_line(invite(body()), sip_incoming="ring") as stage:
        await turn()
        assert stage.agent.names == ["ring"]
        assert stage.line.rings
        stage.line.answer()
        assert not stage.line.rings, "so that another answer, or a rejection, is refused"
        stage.agent.end(Ended(D, "remote", "hung up"))
    assert stage.agent.names == ["ring", "accept"]
    assert stage.board.closed == [("cancelled", None)]


async def test_answered_after_the_peer_has_given_up():
    async with on_the_line(invite(body()), sip_incoming="ring") as stage:
        await turn()
        stage.agent.end(Ended(D, "remote", "hung up"))
        stage.line.answer()  # in the same turn of the loop
        await turn()
        assert not stage.line.rings
    assert stage.agent.names == ["ring"]
    assert stage.board.closed == [("cancelled", None)]


async def test_rejected_by_the_controller():
    async with on_the_line(invite(body()), sip_incoming="ring") as stage:
        await turn()
        stage.line.reject(486)
        assert not stage.line.rings
    assert stage.agent.done[1:] == [("reject", 486, "Busy Here")]
    assert stage.board.closed == [("rejected", (486, "Busy Here"))]


async def test_nobody_answers_in_time():
    async with on_the_line(invite(body()), sip_incoming="ring", sip_ring_seconds=0.01) as stage:
        pass
    assert stage.agent.done[1:] == [("reject", 480, "Temporarily Unavailable")]
    assert stage.board.closed == [("no_answer", (480, "Temporarily Unavailable"))]


async def test_early_media_says_the_same_twice():
    async with on_the_line(invite(body()), sip_incoming="ring", sip_early_media=True) as stage:
        await turn()
        assert stage.board.told == [("early",)]
        stage.line.answer()
        stage.agent.end(Ended(D, "remote", "hung up"))
    (early, first), (accept, second) = stage.agent.done
    assert (early, accept, first) == ("early", "accept", second)


@pytest.mark.parametrize("offer", [None, body(direction="sendonly")])
async def test_no_early_media_to_who_does_not_listen(offer):
    async with on_the_line(invite(offer), sip_incoming="ring", sip_early_media=True) as stage:
        await turn()
        stage.agent.end(Ended(D, "remote", "hung up"))
    assert stage.agent.names == ["ring"]


@pytest.mark.parametrize("how", ["finished", "failed", "stopped"])
async def test_an_announcement_ends_its_call_when_it_is_over(how):
    async with on_the_line(invite(body(), ("X-Voxtrunk-Say", "Hi"))) as stage:
        await turn()
        assert stage.board.told == [("say", "Hi")]
        stage.line.hear(Acknowledged(D, None))
        stage.board.publish(f"utterance.{how}", uid="another")
        stage.board.publish(f"utterance.{how}", uid="u")
        await turn()
        assert stage.board.closed == [], "the peer still has some of it to hear"
    assert stage.board.closed == [("spoken", None)]
    assert stage.agent.names == ["accept", "hangup"]


async def test_a_late_offer_is_answered_by_the_ack_or_the_call_ends():
    for answer, closed in (
        (body(4444, formats="8"), []),
        (None, ["not_acceptable"]),
        ("v=", ["not_acceptable"]),
    ):
        async with on_the_line(invite(None)) as stage:
            await turn()
            assert "m=audio 20000 RTP/AVP 0 8" in stage.agent.done[0][1]
            stage.line.hear(Acknowledged(D, answer))
            await turn()
            assert [cause for cause, _ in stage.board.closed] == closed
            assert stage.board.told == ([] if closed else [("answered", "PCMA", 4444)])
            stage.agent.end(Ended(D, "remote", "hung up"))


async def in_a_call(stage):
    """Answered and acknowledged."""
    await turn()
    stage.line.hear(Acknowledged(D, None))
    await turn()
    stage.board.told.clear()
    stage.agent.done.clear()


async def test_a_reinvite_is_answered_or_refused_and_the_call_goes_on():
    async with on_the_line(invite(body())) as stage:
        await in_a_call(stage)
        stage.board.refusal = "target_not_allowed"
        for offer in (
            body(5000, 2),
            "v=0",
            body(formats="9"),
            body(6000, 3),
            body(6000, 4, direction="sendonly"),
        ):
            stage.line.hear(Reoffered(D, offer))
            stage.line.hear(Acknowledged(D, None))
        await turn()
        assert [(name, argument) for name, argument, *_ in stage.agent.done[:3]] == [
            ("refuse_reoffer", 403),
            ("refuse_reoffer", 400),
            ("refuse_reoffer", 488),
        ]
        assert stage.agent.names[3:] == ["answer_reoffer"] * 2
        assert "a=recvonly" in stage.agent.done[4][1]
        assert stage.board.told == [("change", "PCMU", 6000, False), ("change", "PCMU", 6000, True)]
        stage.agent.end(Ended(D, "remote", "hung up"))


async def test_a_reinvite_without_an_offer_that_was_given_up_leaves_the_next_one_alone():
    async with on_the_line(invite(body())) as stage:
        await in_a_call(stage)
        stage.line.hear(Reoffered(D, None))  # and cancelled: there is no ACK to the 200 that was not sent
        stage.line.hear(Reoffered(D, body(5000, 2)))
        stage.line.hear(Acknowledged(D, None))
        await turn()
        assert stage.board.told == [("change", "PCMU", 5000, False)]
        assert stage.board.closed == []
        stage.agent.end(Ended(D, "remote", "hung up"))


# -- we call ------------------------------------------------------------------------------------------------

ORDER = OpenCall("0.0.0.0", 0, sip=SipFacts(D, "out", "i", "sip:a@b", "sip:c@d", "sip:c@d"))


@asynccontextmanager
async def calling():
    async with on_the_line() as stage:
        await stage.line.place(None, ORDER)
        stage.task = asyncio.create_task(stage.line.attend())
        yield stage


async def test_the_peer_answers():
    async with calling() as stage:
        for event in (Ringing(D, 180, None), Ringing(D, 183, body(4000)), Answered(D, body(4002))):
            stage.line.hear(event)
        await turn()
        assert stage.board.told == [("ringing", 180), ("ringing", 183), ("answered", "PCMU", 4002)]
        stage.agent.end(Ended(D, "remote", "hung up"))
    assert stage.board.closed == [("hung_up", None)]


async def test_the_answer_came_with_the_183():
    async with calling() as stage:
        stage.line.hear(Ringing(D, 183, body(4000)))
        stage.line.hear(Answered(D, None))
        await turn()
        assert stage.board.told[-1] == ("answered", "PCMU", 4000)
        stage.agent.end(Ended(D, "remote", "hung up"))


@pytest.mark.parametrize("answer", [None, "v=0", body(port=0), body(formats="9")])
async def test_an_answer_that_cannot_be_met_hangs_up(answer):
    async with calling() as stage:
        stage.line.hear(Answered(D, answer))
    assert stage.board.closed == [("not_acceptable", None)]
    assert stage.agent.names == ["place", "hangup"]


async def test_an_answer_to_where_rtp_may_not_go_hangs_up():
    async with calling() as stage:
        stage.board.refusal = "target_not_allowed"
        stage.line.hear(Answered(D, body()))
    assert stage.board.closed == [("not_acceptable", None)]
    assert stage.agent.names == ["place", "hangup"]


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (Rejected(D, 486, "Busy Here"), "busy"),
        (Rejected(D, 600, "Busy Everywhere"), "busy"),
        (Rejected(D, 480, "Away"), "no_answer"),
        (Rejected(D, 404, "Not Found"), "refused"),
        (Failed(D, 408, "no answer"), "no_answer"),
        (Failed(D, 503, "no address"), "failed"),
        (Failed(D, 403, "not allowed"), "failed"),
    ],
)
async def test_why_a_call_was_not_answered(event, cause):
    async with calling() as stage:
        stage.agent.end(event)
    assert stage.board.closed == [(cause, (event.code, event.reason))]


async def test_a_call_that_ended_before_its_invite_was_sent_sends_none():
    async with on_the_line() as stage:
        stage.task = asyncio.create_task(turn())
        stage.board.dies = True
        with pytest.raises(Refusal) as refusal:
            await stage.line.place(None, ORDER)
    assert refusal.value.code == "unavailable"
    assert "place" not in stage.agent.names
