"""The engines under test. A new engine joins the contract with one line in ENGINES."""

from collections.abc import Callable
from functools import cache

import pytest

from tts_core import Engine, EspeakEngine
from tts_core.neural.engine import NeuralEngine

ENGINES: dict[str, Callable[[], Engine]] = {"espeak": EspeakEngine, "neural": NeuralEngine}


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
