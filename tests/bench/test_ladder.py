"""The ladder: what counts as held, how it climbs, and one true rung."""

import sys
from pathlib import Path

import pytest

from bench.peers import ladder
from bench.peers.everybody import PEERS
from bench.peers.paced import Paced
from bench.peers.peer import Failed, Missing, Peer, Work, program
from bench.peers.plain import Plain
from bench.peers.rtpengine import bencode

HELD = {
    "streams": 10, "packets": 5000, "lost": 0, "missed": 0, "receiver_drops": 0,
    "gap_error_ms": {"p99": 0.4}, "clock_error_ppm_median": 3.0,
}  # fmt: skip


def test_what_is_well_has_no_reasons():
    assert ladder.verdict(HELD | {"lost": 5}, 10) == ([], [])


@pytest.mark.parametrize(
    ("fault", "carried", "word"),
    [
        ({"streams": 9}, False, "9 of 10 legs heard"),
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


def test_a_missing_program_is_named_with_its_package():
    with pytest.raises(Missing, match="apt-get install nosuch-tools"):
        program("nosuch-program", "nosuch-tools")


def test_every_peer_says_what_ran():
    assert all(issubclass(peer, Peer) and peer.name and peer.command for peer in PEERS.values())
    assert len({peer.name for peer in PEERS.values()}) == len(PEERS)
    assert not Paced.plays


def test_bencode():
    assert bencode({"b": 3, "a": "x:y", "c": {"d": ""}}) == b"d1:a3:x:y1:bi3e1:cd1:d0:ee"


def test_failed_is_no_missing():
    assert not issubclass(Failed, Missing)
    assert Path(ladder.__file__).parent.name == "peers"
