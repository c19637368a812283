"""The engines under test. A new engine joins the contract with one line in ENGINES."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.tts_core.piper.shelf import MEDIUM, added
from tests.tts_core.remote.opened import engine_of_contract
from tts_core import Engine, EspeakEngine, Script
from tts_core.neural.engine import NeuralEngine
from tts_core.piper.engine import PiperEngine

ENGINES: dict[str, Callable[[], Engine]] = {
    "espeak": EspeakEngine,
    "neural": NeuralEngine,
    "piper": lambda: PiperEngine(added(MEDIUM)),
    "remote": engine_of_contract,
}


@cache
def made(name: str) -> Engine:
    return ENGINES[name]()


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return made(request.param)


@pytest.fixture
def voice(engine: Engine) -> str:
    """An English voice of the engine."""
    english = [v.name for v in engine.voices() if v.language.startswith("en")]
    return f"{engine.name}:en-us" if f"{engine.name}:en-us" in english else english[0]


@pytest.fixture
def sample_rate(engine: Engine, voice: str) -> int:
    """Hz, of every chunk of the voice."""
    return next(engine.speak(Script.from_text("1"), voice, 1.0)).sample_rate
