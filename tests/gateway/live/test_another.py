"""A gateway's voices as those of a provider: doors that real clients are driven against are real peers too."""

import numpy as np
import pytest

from tests.tts_core.remote.opened import expand
from tts_core import EspeakEngine, Script, Synthesiser
from tts_core.remote.config import read_plan
from tts_core.remote.opening import open_plan

TEXT = "Your table is ready, please follow me. Enjoy your meal."
PLAN = """
[providers.elevenlabs]
base_url = "{url}"
transport = "{transport}"
first_byte_ms = 10000
stall_ms = 5000
warm = false
voices.other = {{ own = "espeak:en-us", language = "en-us" }}
[providers.deepgram]
base_url = "{url}"
transport = "{transport}"
first_byte_ms = 10000
stall_ms = 5000
warm = false
voices.other = {{ own = "espeak:en-us", language = "en-us" }}
"""


@pytest.mark.parametrize(("transport", "times"), [("http", 1), ("websocket", 2)])
@pytest.mark.parametrize("kind", ["elevenlabs", "deepgram"])
def test_another_gateway_is_spoken_with(tmp_path, gateway, kind, transport, times):
    (tmp_path / "providers.toml").write_text(PLAN.format(url=gateway.url, transport=transport))
    abroad = open_plan(read_plan(tmp_path / "providers.toml"), expand)
    door = Synthesiser([EspeakEngine(), *abroad.engines])
    abroad.open(door)
    for number in range(times):
        cut = door.speak(Script.from_text(TEXT), f"{kind}:other")
        next(cut)
        cut.parts.close()  # he barges in; what follows is whole
        chunks = list(door.speak(Script.from_text(TEXT), f"{kind}:other"))
        words = [TEXT[word.char_start : word.char_end] for chunk in chunks for word in chunk.words]
        assert words == [word.strip(".,") for word in TEXT.split()]
        heard_s = sum(len(chunk.pcm) for chunk in chunks) / 8000
        own = list(door.speak(Script.from_text(TEXT), "espeak:en-us"))
        own_s = sum(len(chunk.pcm) for chunk in own) / own[0].sample_rate
        assert heard_s == pytest.approx(own_s, rel=0.15), number
        if kind == "elevenlabs":
            theirs = np.array([word.start_sample / 8000 for chunk in chunks for word in chunk.words])
            ours = np.array([word.start_sample / own[0].sample_rate for chunk in own for word in chunk.words])
            assert np.abs(theirs - ours).max() < 0.25, "each word where it is said"
    account = next(each for each in abroad.accounts() if each.provider == kind)
    assert account.requests[0] >= 3 * times, "three clauses each time"
    assert account.requests[0] + account.requests[8] == sum(account.requests), "the others were dropped"
    abroad.close()
