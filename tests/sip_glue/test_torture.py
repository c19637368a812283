"""RFC 4475's messages and noise: each gets what it deserves, and calls go on."""

import random
import re
from pathlib import Path

import pytest

from sip_glue.door import Known, Reply, judge
from sip_glue.events import Acknowledged, Incoming
from sip_glue.message import Request, Response, Unreadable, read

from .conftest import HERE, Wire, sipp

MESSAGES = sorted((HERE / "rfc4475").glob("*.dat"))

# What each is met with, by the RFC's sections: a code, or None for silence. We are a user agent that registers
# nobody (405), know no dialog (481), and are lenient where the RFC lets us be.
EXPECTED = {
    # 3.1.1 valid messages
    "wsinv": 481, "intmeth": 405, "esc01": 100, "escnull": 405, "esc02": 405, "lwsdisp": 200, "longreq": 100,
    "dblreq": 405, "semiuri": 200, "transports": 200, "mpart01": 405, "unreason": None, "noreason": None,
    # 3.1.2 invalid messages
    "badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": None, "quotbal": 400, "ltgtruri": 400,
    "lwsruri": 400, "lwsstart": 400, "trws": 400, "escruri": 400, "baddate": 100, "regbadct": 405,
    "badaspec": 200, "baddn": 200, "badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": None,
    # 3.2 transaction layer, 3.3 application layer, 3.4 RFC 2543
    "badbranch": 200, "insuf": 400, "unkscm": 416, "novelsc": 416, "unksm2": 405, "bext01": 420, "invut": 415,
    "regaut01": 405, "multi01": 400, "mcl01": 400, "bcast": None, "zeromf": 200, "cparam01": 405, "cparam02": 405,
    "regescrt": 405, "sdp01": 100, "inv2543": 400,
}  # fmt: skip


def test_all_messages_are_here():
    assert {path.stem for path in MESSAGES} == set(EXPECTED)
    assert len(MESSAGES) == 49


def met_with(datagram: bytes) -> int | None:
    message = read(datagram)
    if isinstance(message, Unreadable):
        return message.code
    if isinstance(message, Request):
        verdict = judge(message, Known(dialog="none", invite="new", retry_after=None))
        return verdict.code if isinstance(verdict, Reply) else 100
    return None


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_each_is_met_as_it_should(path: Path):
    assert met_with(path.read_bytes()) == EXPECTED[path.stem]


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_each_cut_off_anywhere_is_read_or_not(path: Path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 1 + len(whole) // 400):
        message = read(whole[:length])
        if isinstance(message, Request):
            assert whole[:length].rstrip(b"\r\n").endswith(message.body.rstrip(b"\r\n")) or length == len(
                whole
            )


async def test_all_at_the_socket_and_a_call_works_afterwards(desk, wire, tmp_path):
    for path in MESSAGES:
        whole, expected = path.read_bytes(), EXPECTED[path.stem]
        # asks for the answer to come back here
        wire.send(re.sub(rb"(?im)^((?:via|v)[ \t]*:(?:[^;\r\n]|\r\n[ \t])*)", rb"\1;rport", whole, count=1))
        if expected is not None:
            await reply_to(whole, expected, wire)
    calls = sum(code == 100 for code in EXPECTED.values())
    assert len(await desk.until(Incoming, calls)) == calls
    for call in desk.seen(Incoming):
        desk.agent.hangup(call.dialog)
    desk.events.clear()
    await sipp(tmp_path, "call", desk)


async def reply_to(request: bytes, code: int, wire: Wire) -> None:
    """Waits for the reply to a message, among the repeated 200s to those that were taken for calls."""
    call_id = re.search(rb"(?im)^(?:call-id|i)\s*:\s*(.+?)\s*$", request)
    while True:
        reply = await wire.receive()
        if reply.startswith(f"SIP/2.0 {code} ") and (call_id is None or call_id[1].decode() in reply):
            return


async def test_noise_and_broken_messages_at_the_socket(desk, wire, tmp_path):
    chance = random.Random(4475)
    for _ in range(1500):
        wire.send(chance.randbytes(chance.randrange(1, 600)))
    for path in MESSAGES * 20:
        octets = bytearray(path.read_bytes())
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        wire.send(bytes(octets))
    for size in (0, 1, 31, 32, 8192, 65_000):
        wire.send(b"\r\n" * (size // 2))
        wire.send(b"INVITE " + b"x" * size)
    await sipp(tmp_path, "call", desk)
    assert len(desk.seen(Acknowledged)) >= 1, "the call after it all was answered and acknowledged"


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_responses_are_never_answered(path: Path):
    message = read(path.read_bytes())
    if path.read_bytes().startswith(b"SIP/2.0"):
        assert message is None or isinstance(message, Response)
