"""The doors' verdict: what befalls the legs breaks it, and what befalls the clients does not."""

import pytest

from bench.doors import broken, underruns

WELL = {
    "underruns": {"synthesis": 0, "pacer": 0, "socket": 0},
    "refused": 400,
    "errors": 3,
    "others_refused": 0,
    "received": {"receiver_drops": 0, "lost": 0, "missed": 0, "gap_error_ms": {"p99": 1.9}},
}


def test_clients_may_be_refused():
    assert broken(WELL) == []


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("underruns", {"synthesis": 1}), ("underruns", {"pacer": 2}), ("received", {"lost": 1}),
        ("received", {"missed": 1}), ("received", {"gap_error_ms": {"p99": 2.0}}),
        ("received", {"receiver_drops": 1, "lost": 9}),
    ],
    ids=str,
)  # fmt: skip
def test_each_fault_of_a_leg_breaks_it(where, fault):
    assert len(broken(WELL | {where: WELL[where] | fault})) == 1


def test_speech_that_is_in_the_cache_is_never_refused():
    assert broken(WELL | {"others_refused": 1}) == ["1 texts refused that are in the cache"]


def test_underruns_are_added_up_by_cause():
    told = (
        "# TYPE voxtrunk_underruns_total counter\n"
        'voxtrunk_underruns_total{cause="synthesis",worker="0"} 2.0\n'
        'voxtrunk_underruns_total{worker="1",cause="synthesis"} 3.0\n'
        'voxtrunk_underruns_total{worker="0",cause="pacer"} 0.0\n'
    )
    assert underruns(told) == {"synthesis": 5, "pacer": 0}
    with pytest.raises(AssertionError, match="counts underruns"):
        underruns("voxtrunk_up 1.0\n")
