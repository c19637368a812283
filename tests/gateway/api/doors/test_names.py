"""Who speaks for whom: our own names, the settings, then the table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.api.doors.names import ALIASES, language_of_model, speaker
from gateway.errors import Refusal
from gateway.messages.synthesis import VoiceInfo
from gateway.settings import Settings

VOICES = (
    VoiceInfo("espeak:de", "de", "espeak", "German", "male"),
    VoiceInfo("espeak:en-us", "en-us", "espeak", "English (America)", None),
    VoiceInfo("espeak:es", "es", "espeak", "Spanish", None),
)
Make = Callable[..., Settings]


@pytest.mark.parametrize(
    ("name", "language", "aliases", "spoken_by"),
    [
        ("espeak:de", "", {}, "espeak:de"),
        ("alloy", "", {}, "espeak:en-us"),
        ("default", "", {}, "espeak:en-us"),
        ("hpp4J3VqNfWAUOO0d1Us", "de", {}, "espeak:de"),
        ("aura-2-thalia-en", "en", {}, "espeak:en-us"),
        ("aura-2-nestor-es", "es", {}, "espeak:es"),
        ("alloy", "", {"alloy": "espeak:de"}, "espeak:de"),
        ("a-clone-of-me", "", {"a-*": "espeak:es"}, "espeak:es"),
        ("anybody", "es", {"*": "default"}, "espeak:es"),
        ("echo", "es", {"*": "espeak:de"}, "espeak:de"),
    ],
)
def test_a_name_has_a_voice(
    settings: Make, name: str, language: str, aliases: dict[str, str], spoken_by: str
) -> None:
    assert speaker(name, settings(voice_aliases=aliases), VOICES, language) == spoken_by


@pytest.mark.parametrize(
    ("name", "language", "aliases", "told"),
    [
        ("nobody", "", {}, "VOXTRUNK_VOICE_ALIASES"),
        ("alloy", "", {"alloy": "espeak:xx"}, "espeak:xx"),
        ("alloy", "fi", {}, "No voice speaks the language 'fi'"),
    ],
)
def test_a_name_without_one_is_refused(
    settings: Make, name: str, language: str, aliases: dict[str, str], told: str
) -> None:
    with pytest.raises(Refusal, match=told) as refused:
        speaker(name, settings(voice_aliases=aliases), VOICES, language)
    assert refused.value.code == "unknown_voice"


def test_a_models_name_tells_its_language() -> None:
    assert [
        language_of_model(name) for name in ("aura-2-thalia-en", "aura-luna-de", "espeak:en-us", "aura")
    ] == [
        "en",
        "de",
        "",
        "",
    ]


def test_every_alias_of_the_table_is_spoken(settings: Make) -> None:
    for name in ALIASES:
        assert speaker(name, settings(), VOICES)


def test_aliases_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, settings: Make) -> None:
    monkeypatch.setenv("VOXTRUNK_VOICE_ALIASES", "alloy=espeak:de, aura-*=default")
    assert settings().voice_aliases == {"alloy": "espeak:de", "aura-*": "default"}
    monkeypatch.setenv("VOXTRUNK_VOICE_ALIASES", '{"alloy": "espeak:de"}')
    assert settings().voice_aliases == {"alloy": "espeak:de"}
    monkeypatch.setenv("VOXTRUNK_VOICE_ALIASES", "alloy")
    with pytest.raises(ValueError, match="NAME=VOICE"):
        settings()
