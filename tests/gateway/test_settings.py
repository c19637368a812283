"""Settings from the environment and from a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import Settings, _at_home

ACCOUNTS = [
    {"address": "sip:100@pbx.example", "user": "100", "password": "wonder"},
    {"address": "sip:101@pbx.example", "proxy": "sip:10.0.0.1", "expires": 60},
]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No settings but the test's."""
    for name in os.environ:
        if name.startswith("VOXTRUNK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def addresses(settings):
    return [(str(host), port) for host, port in settings.sip_listen]


BOTH = [("127.0.0.1", 5060), ("::1", 5070)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("[]", []),
        ("127.0.0.1:5060,[::1]:5070", BOTH),
        (" 127.0.0.1:5060 , [::1]:5070 ", BOTH),
        ('["127.0.0.1:5060", "[::1]:5070"]', BOTH),
        ("[::1]", [("::1", 5060)]),
        ("[::1],[::1]:5070", [("::1", 5060), ("::1", 5070)]),
        ("[::1]:0", [("::1", 0)]),
        ("127.0.0.1", [("127.0.0.1", 5060)]),
        ("127.0.0.1,127.0.0.2:5061", [("127.0.0.1", 5060), ("127.0.0.2", 5061)]),
        ("[::ffff:10.0.0.1]:5060", [("::ffff:a00:1", 5060)]),
    ],
)
def test_sip_addresses(monkeypatch, text, expected):
    monkeypatch.setenv("VOXTRUNK_SIP_LISTEN", text)
    assert addresses(Settings()) == expected


@pytest.mark.parametrize(
    "text",
    ["localhost:5060", "5060", ":5060", "::1", "[::1", "127.0.0.1:", "127.0.0.1:sip", "127.0.0.1:65536",
     "127.0.0.1:-1", "[1, 2]", '{"a": 1}', "[::1]5060", "127.0.0.1:²"],
)  # fmt: skip
def test_what_is_no_sip_address(monkeypatch, text):
    monkeypatch.setenv("VOXTRUNK_SIP_LISTEN", text)
    with pytest.raises(ValidationError, match="sip_listen"):
        Settings()


def test_sip_accounts_from_the_environment(monkeypatch):
    monkeypatch.setenv("VOXTRUNK_SIP_ACCOUNTS", json.dumps(ACCOUNTS))
    check_accounts(Settings())


def test_sip_from_a_file(tmp_path):
    (tmp_path / "voxtrunk.toml").write_text(
        """
        sip_listen = ["127.0.0.1:5060", "[::1]:5070"]
        sip_reject_code = 486

        [[sip_accounts]]
        address = "sip:100@pbx.example"
        user = "100"
        password = "wonder"

        [[sip_accounts]]
        address = "sip:101@pbx.example"
        proxy = "sip:10.0.0.1"
        expires = 60
        """
    )
    settings = Settings()
    check_accounts(settings)
    assert addresses(settings) == BOTH
    assert settings.sip_reject_code == 486


def check_accounts(settings):
    first, second = settings.sip_accounts
    assert (first.address, first.user, first.expires) == ("sip:100@pbx.example", "100", 300)
    assert first.password.get_secret_value() == "wonder"
    assert (second.user, second.password, second.proxy, second.expires) == (None, None, "sip:10.0.0.1", 60)
    assert "wonder" not in repr(settings)


@pytest.mark.parametrize(
    "account", [{}, {"address": "sip:a@b", "expires": 1}, {"address": "sip:a@b", "secret": "wonder"}]
)
def test_accounts_that_cannot_be_are_refused_without_a_word_of_what_they_hold(monkeypatch, account):
    monkeypatch.setenv("VOXTRUNK_SIP_ACCOUNTS", json.dumps([account]))
    with pytest.raises(ValidationError, match="sip_accounts") as refused:
        Settings()
    assert "wonder" not in str(refused.value)


@pytest.mark.parametrize(("given", "code"), [("480", 480), ("486", 486), ("603", 603)])
def test_a_reject_code_from_the_environment(monkeypatch, given, code):
    monkeypatch.setenv("VOXTRUNK_SIP_REJECT_CODE", given)
    assert Settings().sip_reject_code == code


def test_sip_needs_an_address_that_a_peer_can_send_to():
    wild = {"rtp_addresses": ("0.0.0.0",), "sip_listen": ("127.0.0.1:5060",)}
    with pytest.raises(ValidationError, match="sip_media_address"):
        Settings(**wild)
    assert Settings(**wild, sip_media_address="192.0.2.1").sip_listen


def test_the_folder_of_added_voices_is_the_users_own(monkeypatch):
    assert Settings(voices_folder="~/voices").voices_folder == Path.home() / "voices"
    assert Settings().voices_folder.is_absolute()
    monkeypatch.setattr(Path, "expanduser", _nobody)
    assert _at_home(Path("~/voices")) == Path("~/voices")


def _nobody(path):
    raise RuntimeError("Could not determine home directory.")


def test_patterns_of_voices_come_from_the_environment(monkeypatch):
    assert Settings().warm_voices == ("neural:*",)
    monkeypatch.setenv("VOXTRUNK_WARM_VOICES", "neural:en-us-slt, espeak:de")
    assert Settings().warm_voices == ("neural:en-us-slt", "espeak:de")
    monkeypatch.setenv("VOXTRUNK_WARM_VOICES", "")
    assert Settings().warm_voices == ()


def test_the_default_voice_is_neural_where_neural_voices_can_speak(monkeypatch):
    def told():
        return Settings().default_voice, Settings().speaks_plainly

    assert told() == ("neural:en-us-slt", False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert told() == ("espeak:en-us", True)
    for chosen in ("neural:en-us-slt", "espeak:en-us"):
        monkeypatch.setenv("VOXTRUNK_DEFAULT_VOICE", chosen)
        assert told() == (chosen, False)
