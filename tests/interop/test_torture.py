"""RFC 4475's messages and noise at the SIP socket of a gateway whose legs speak: nobody hears a thing of it."""

import random
import socket
import time
from pathlib import Path

import numpy as np

from bench.machine import stolen_seconds
from gateway.settings import Settings
from gateway.speech.offline import encode_text

from .conftest import desk_with
from .ear import Ear
from .peers import Sipp
from .test_traffic import SHORT

MESSAGES = sorted((Path(__file__).parents[1] / "sip_glue" / "rfc4475").glob("*.dat"))
SENTENCE = "One two three four five six seven eight nine ten. " * 3
NOISE = 3000


def noise():
    """Random octets, and the RFC's messages with some of their octets changed."""
    source = random.Random(4475)
    for number in range(NOISE):
        if number % 2:
            yield source.randbytes(source.randrange(1400))
        else:
            broken = bytearray(source.choice(MESSAGES).read_bytes())
            for _ in range(source.randrange(1, 30)):
                broken[source.randrange(len(broken))] = source.randrange(256)
            yield bytes(broken)


def test_speech_goes_on_and_so_do_calls(tmp_path):
    assert len(MESSAGES) == 49
    stolen = stolen_seconds()  # a tick is missed by us, or the host had the core for as long
    with desk_with(sip_greeting=SHORT, sip_hang_up=True) as desk, Ear(1) as ear:
        legs = [
            desk.ask("POST", "/v1/calls", {"rtp": {"address": "127.0.0.1", "port": ear.ports[0]}})
            for _ in range(20)
        ]
        for leg in legs:
            desk.say(leg, SENTENCE)
        host, _, port = desk.sip.rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            for message in [*(path.read_bytes() for path in MESSAGES), *noise()]:
                wire.sendto(message, (host, int(port)))
                time.sleep(0.001)
        with Sipp(tmp_path, "uac_until_bye", "-r", 20, remote=desk.sip, calls=20) as run:
            assert run.well().failed == 0
        for leg in legs:
            desk.until(leg, "utterance.finished")
        assert desk.gateway.process.poll() is None
        said = encode_text(SENTENCE, None, "PCMU", Settings())
        streams = ear.octets()
        for leg in legs:
            octets, packets = streams[leg["rtp"]["ssrc"]]
            assert said in octets
            assert np.diff(packets["t_ns"]).max() < 100e6
            final = desk.ask("DELETE", f"/v1/calls/{leg['id']}")
            missed = final["statistics"]["missed_ticks"] + final["statistics"]["underruns"]
            assert missed == 0 or stolen_seconds() > stolen + 0.02
