"""The ladder: what counts as held, how it climbs, and one true rung."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from bench.peers import ladder, rtpengine
from bench.peers.everybody import PEERS
from bench.peers.paced import Paced
from bench.peers.peer import Failed, Missing, Peer, Work, output, program
from bench.peers.plain import Plain
from bench.peers.rtpengine import _Control, bencode
from bench.window import Window
from gateway.listen.packets import PACKET
from gateway.listen.receiver import Capture

HELD = {
    "streams": 10, "packets": 5000, "lost": 0, "missed": 0, "receiver_drops": 0, "broke_off": 0,
    "gap_error_ms": {"p99": 0.4}, "clock_error_ppm_median": 3.0,
}  # fmt: skip


def test_what_is_well_has_no_reasons():
    assert ladder.verdict(HELD | {"lost": 5}, 10) == ([], [])


@pytest.mark.parametrize(
    ("fault", "carried", "word"),
    [
        ({"streams": 9}, False, "9 of 10 legs heard"),
        ({"broke_off": 1}, False, "1 legs broke off"),
        ({"lost": 50}, False, "1.0 % of packets missing"),
        ({"missed": 50}, False, "missing"),
        ({"receiver_drops": 1}, False, "no verdict"),
        ({"gap_error_ms": {"p99": 2.0}}, True, "p99 2.00 ms"),
        ({"clock_error_ppm_median": 50_000.0}, True, "clock 50,000 ppm off"),
        ({"clock_error_ppm_median": None}, True, "no clock"),
        ({"audio": {"right": 0.99}}, True, "1.0 % of the audio"),
    ],
)
def test_each_fault_is_said(fault, carried, word):
    lost, late = ladder.verdict(HELD | fault, 10)
    assert word in "".join(lost + late)
    assert len(lost + late) == 1
    assert (not lost) is carried


def _climb(monkeypatch, most: int, carries: int) -> list[int]:
    def rung(peer, legs, seconds, recording):
        late = legs > most
        return {"legs": legs, "broke": ["late"] if late else [], "carried": legs <= carries}

    monkeypatch.setattr(ladder, "rung", rung)
    monkeypatch.setattr(ladder, "write_speech", lambda folder: None)
    return [tried["legs"] for tried in ladder.climb(Plain(), (10, 100, 300, 1000), 1)]


def test_it_stops_where_legs_are_lost_and_looks_between(monkeypatch):
    # 300 is tried twice; then between 100 and 300 (held), and between 200 and 300
    assert _climb(monkeypatch, most=220, carries=220) == [10, 100, 300, 300, 200, 250]


def test_it_goes_on_while_all_legs_are_carried(monkeypatch):
    assert _climb(monkeypatch, most=50, carries=10**6) == [10, 100, 100, 300, 1000, 55, 32]


def test_what_holds_everything_is_not_looked_at_again(monkeypatch):
    assert _climb(monkeypatch, most=10**6, carries=10**6) == [10, 100, 300, 1000]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return ladder.write_speech(tmp_path_factory.mktemp("speech"))


def test_a_true_rung_proves_the_sound_and_finds_the_slow_clock(recording):
    found = ladder.rung(Plain(), 4, 2.0, recording)
    assert (found["streams"], found["lost"], found["carried"]) == (4, 0, True)
    assert found["audio"]["right"] == 1.0
    assert found["audio"]["frames"] > 4 * 50
    assert found["clock_error_ppm_median"] > 1000  # it sleeps 20 ms and works besides
    assert any("clock" in why for why in found["broke"])
    assert found["sender_cores"] > 0


class Dies(Peer):
    """Ends at once."""

    name = "dies"

    def version(self) -> str:
        return "1"

    def start(self, work: Work) -> None:
        self.launch([sys.executable, "-c", "print('why I died')"], work.folder)


def test_a_peer_that_dies_is_a_rung_that_broke_and_says_why(recording):
    found = ladder.rung(Dies(), 1, 1.0, recording)
    assert not found["carried"]
    assert "why I died" in found["broke"][0]


class Mute(Peer):
    """Answers one leg's setting up, and then nobody: as rtpengine did whose threads had taken the core."""

    name = "mute"

    def version(self) -> str:
        return "1"

    def start(self, work: Work) -> None:
        self._beside.callback(lambda: self.ended.append(True))
        self.launch([sys.executable, "-c", "import time; time.sleep(60)"], work.folder)
        for asked in range(work.legs):
            work.in_time(asked)
            time.sleep(0.2)

    ended: ClassVar[list[bool]] = []


def test_a_peer_that_takes_too_long_is_a_rung_that_broke_and_ends(recording, monkeypatch):
    monkeypatch.setattr(ladder, "SETUP_S", 1.0)
    began = time.monotonic()
    found = ladder.rung(Mute(), 10**6, 1.0, recording)
    assert time.monotonic() - began < 20
    assert not found["carried"]
    assert "of 1000000 legs could be set up in time" in found["broke"][0]
    assert Mute.ended == [True]


class Asks(Peer):
    """Talks rtpengine's protocol to whoever is at `port`."""

    name = "asks"
    port = 0

    def version(self) -> str:
        return "1"

    def start(self, work: Work) -> None:
        with _Control(self.port) as control:
            control.ask({"command": "ping"})


def test_a_control_port_that_nobody_has_or_that_does_not_answer_breaks_the_rung(recording, monkeypatch):
    monkeypatch.setattr(rtpengine, "_ANSWER_S", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        Asks.port = silent.getsockname()[1]
        assert ladder.rung(Asks(), 1, 1.0, recording)["broke"] == ["ping: no answer within 0.5 s"]
    assert "refused" in ladder.rung(Asks(), 1, 1.0, recording)["broke"][0]


def test_an_answer_that_comes_too_late_is_not_the_next_ones():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))

        def answer():
            _, source = daemon.recvfrom(1000)
            daemon.sendto(b"0 d6:result5:error4:says4:latee", source)
            daemon.sendto(b"1 d6:result4:ponge", source)

        with ThreadPoolExecutor() as threads, _Control(daemon.getsockname()[1]) as control:
            answering = threads.submit(answer)
            control.ask({"command": "ping"})
            answering.result()


def test_a_leg_that_breaks_off_is_found():
    packets = np.zeros(1000, PACKET)
    packets["ssrc"] = np.repeat([1, 2], 500)
    packets["t_ns"] = np.tile(np.arange(500) * 20_000_000, 2)
    window = Window(0, 10_000_000_000)
    assert ladder.broke_off(Capture(packets, packets[:0], 0, 0, 0, 0.0), window) == 0
    assert ladder.broke_off(Capture(packets[:940], packets[:0], 0, 0, 0, 0.0), window) == 1
    assert ladder.broke_off(Capture(packets[60:], packets[:0], 0, 0, 0, 0.0), window) == 1


def test_a_peer_whose_budget_is_over_says_so(monkeypatch):
    def rung(peer, legs, seconds, recording):
        time.sleep(0.1)
        return {"legs": legs, "broke": [], "carried": True}

    monkeypatch.setattr(ladder, "rung", rung)
    monkeypatch.setattr(ladder, "write_speech", lambda folder: None)
    climbing = ladder.climb(Plain(), (10, 100, 300, 1000), 1, most_s=0.15)
    assert [next(climbing)["legs"] for _ in range(2)] == [10, 100]
    with pytest.raises(ladder.OutOfTime, match="before 300 legs"):
        next(climbing)


def test_a_missing_program_is_named_with_its_package():
    with pytest.raises(Missing, match="apt-get install nosuch-tools"):
        program("nosuch-program", "nosuch-tools")


def test_a_program_that_says_nothing_or_hangs_is_missing(monkeypatch):
    with pytest.raises(Missing, match="ended with 1 and said nothing"):
        output("false")
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda argv, **more: run(argv, **more | {"timeout": 0.1}))
    with pytest.raises(Missing, match="timed out"):
        output("sleep", "5")


def test_every_peer_says_what_ran():
    assert all(issubclass(peer, Peer) and peer.name and peer.command for peer in PEERS.values())
    assert len({peer.name for peer in PEERS.values()}) == len(PEERS)
    assert not Paced.plays


def test_bencode():
    assert bencode({"b": 3, "a": "x:y", "c": {"d": ""}}) == b"d1:a3:x:y1:bi3e1:cd1:d0:ee"


def test_failed_is_no_missing():
    assert not issubclass(Failed, Missing)
    assert Path(ladder.__file__).parent.name == "peers"
