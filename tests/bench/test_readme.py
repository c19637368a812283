"""The README's figures are those of bench/results, rounded: who measures anew is told what to write anew."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from bench import growth
from bench.peers.verdict import best, held
from bench.tables import measured

README = " ".join((Path(__file__).parents[2] / "README.md").read_text().split())


def say(figure, digits=0):
    """A figure rounded by hand: half of a digit goes up, and thousands have a comma."""
    return f"{Decimal(str(figure)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,}"


def quantiles(figures, digits, names=("p50", "p95")):
    return " / ".join(say(figures[name], digits) for name in names)


def pace():
    for name, rows in (("pace", 5), ("pace-noise", 1)):
        for row in measured(name)[:rows]:
            core = row["cores"]["media"] if "cores" in row else row["sender_cores"]
            yield (
                f"| {say(row['legs'])} | {row['lost']} | {row['missed']} | "
                f"{quantiles(row['gap_error_ms'], 2, ('p50', 'p99', 'p99.9'))} | "
                f"{say(row['clock_error_ppm_worst'])} ppm | {say(core, 2)} |"
            )


def ceiling():
    for row in measured("ceiling"):
        yield (
            f"| {say(row['legs'])} | {row['sockets']} | {say(row['engine_pps'])} | {say(row['limit_pps'])} | "
            f"{say(row['ratio'], 2)} |"
        )


def first_word():
    for row in measured("first-word"):
        figures = row["request_to_first_packet_ms"]
        yield f"speaking | p50 {say(figures['p50'], 1)} ms, p95 {say(figures['p95'], 1)} ms |"


def cut():
    (row,) = measured("cut")
    whole = row["stop_to_last_whole_packet_ms"]
    yield f"| p95 {say(whole['p95'], 1)} ms, at most {say(whole['max'], 1)} ms |"
    faded = row["stop_to_faded_packet_ms"]
    yield f"| p95 {say(faded['p95'], 1)} ms, at most {say(faded['max'])} ms |"
    yield f"| {row['spoken_ms_equals_what_arrived']} |"


def weight():
    rows = measured("growth")
    _, each = growth.line([row for row in rows if row["carried"]], "memory_mb")
    yield f"| {say(rows[0]['memory_mb'])} MB, {say(1000 * each)} kB (`bench run growth`"


def soak():
    (row,) = measured("soak")
    memory, descriptors = row["memory_mb"], row["descriptors"]
    yield f"soak, {say(row['seconds'])} s: {say(row['calls'])} calls"
    yield (
        f"memory {say(memory['first'])} to {say(memory['last'])} MB; descriptors {descriptors['first']} during, "
        f"{descriptors['after']} after; {row['open_calls_after']} calls left"
    )


def peers():
    rows = {row["peer"]: row for row in measured("peers")}
    for name in ("c", "voxtrunk", "rtpsynth", "rtpengine", "aiortc", "gstreamer"):
        most = held(rows[name])
        yield f" | {say(most)} | {say(best(rows[name])[most]['cpu_us_a_leg_second'])} |"
    assert [held(rows[name]) for name in ("sipp", "baresip", "ffmpeg", "plain")] == [0] * 4
    yield "| SIPp rtp_stream, baresip, ffmpeg -re, a task a leg in asyncio | none | |"


def sip():
    for row in measured("sip"):
        yield (
            f"| {say(row['sip_calls_a_second'])} | {say(row['calls_well'])} of {say(row['calls'])} | "
            f"{row['retransmissions']} | {say(row['speaking']['gap_error_ms']['p99'], 2)} ms | "
            f"{say(row['cores']['control'], 2)} of a core |"
        )


def tokens():
    other, own = (row["first_speakable_clause_to_first_packet_ms"] for row in measured("tokens"))
    yield (
        f"{say(own['p50'])} ms with the default voice, at most {say(own['max'])} ms (`espeak:en-us` "
        f"{say(other['p50'])} and {say(other['max'])} ms)"
    )


def speaking():
    for row in measured("speaking"):
        yield f"| {row['streams']} | {say(row['audio_seconds_a_second'])} s | "
        yield (
            f" | {quantiles(row['first_audio_ms'], 0)} ms | {row['underruns']} | {row['missed_ticks']} | "
            f"{say(row['cores']['speech'], 2)} |"
        )


def load():
    for row in measured("load"):
        first = quantiles(row["first_audio_ms"], 0, ("p50", "p95", "p99"))
        wrong = f"{row['failed']}, {row['holes']}, {row['wrong'] + row['wrong_leg']}"
        yield (
            f"| {row['calls_at_once']}, {row['legs_speaking']} | {row['calls']} | {wrong} | {first} ms | "
            f"{say(row['gap_error_ms']['p99'], 2)} ms | {say(row['cores_used'], 2)} |"
        )


def doors():
    rows = measured("doors")
    for row in rows:
        if row["door"] == "native, RTP":
            yield f"| an RTP leg, to its first packet | {quantiles(row['first_audio_ms'], 1)} ms |"
        elif "requests" in row:
            yield f"{row['door']}{'`' * row['door'].startswith('/')} | {quantiles(row['first_audio_ms'], 1)} ms |"
        elif row["clients"]:
            yield (
                f"| {quantiles(row['first_audio_ms'], 0)} ms | "
                f"{say(row['received']['gap_error_ms']['p99'], 2)} ms | "
                f"{say(row['cores']['control'], 2)}, {say(row['cores']['speech'], 2)} |"
            )
    yield f"({next(row['requests'] for row in rows)} texts each)"


def schedule():
    rows = measured("schedule")
    yield f"one recorded trace of {rows[0]['callers']} callers"
    for row in rows:
        if row.get("load") == 0.7:
            yield (
                f" | {say(row['missed_ticks'])} | {quantiles(row['first_audio_ms'], 0)} ms | "
                f"{say(100 * row['wasted'], 1)} % |"
            )
    (choosing,) = (row["microseconds"] for row in rows if row.get("legs") == 1000)
    yield f"choosing among 1,000 legs takes {say(choosing)} µs"


BENCHES = (
    pace, ceiling, first_word, cut, weight, soak, peers, sip, tokens, speaking, load, doors, schedule,
)  # fmt: skip


@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.__name__)
def test_it_says_what_was_measured(bench):
    expected = list(bench())
    assert expected
    assert [each for each in expected if each not in README] == []


def test_half_of_a_digit_goes_up():
    assert (say(0.835, 2), say(0.945, 2), say(3800), say(22)) == ("0.84", "0.95", "3,800", "22")
