"""The example of docs/providers.md is a file that works."""

import os
import re
from pathlib import Path

from tests.tts_core.remote.opened import expand
from tts_core import EspeakEngine, Synthesiser
from tts_core.remote.asking import KINDS
from tts_core.remote.config import read_plan
from tts_core.remote.opening import open_plan

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()


def test_the_example_is_read_and_opened(tmp_path, monkeypatch):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "providers.toml").write_text(example)
    (tmp_path / "azure.key").write_text("of-azure\n")
    for name in ("ELEVENLABS_API_KEY", "DEEPGRAM_API_KEY"):
        monkeypatch.setenv(name, "of-the-example")
    plan = read_plan(tmp_path / "providers.toml")
    assert "of-the-example" not in repr(plan)
    assert os.environ["DEEPGRAM_API_KEY"] not in repr(plan)
    abroad = open_plan(plan, expand, share=2)
    door = Synthesiser([EspeakEngine(), *abroad.engines])
    abroad.open(door)
    offered = {voice.name: voice.language for voice in door.voices() if voice.engine != "espeak"}
    assert offered == {
        "elevenlabs:anna": "en-us", "azure:jenny": "en-us", "azure:katja": "de-de", "deepgram:thalia": "en-us",
        "in-house:bella": "en-us", "route:support": "en-us", "route:support@gold": "en-us",
        "route:support/de": "de", "route:support/de@gold": "de",
    }  # fmt: skip
    limits = abroad.remotes[0].peer.desk.limits
    assert (limits.at_once, limits.day, limits.price) == (5, 12.5, 100), "half of what two workers may do"
    abroad.close()


def test_the_page_names_every_outcome():
    assert set(re.findall(r"\| `(\w+)` \|$", PAGE, re.MULTILINE)) == {"outcome", *KINDS}
