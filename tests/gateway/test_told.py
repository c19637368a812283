"""What of the settings reaches a worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.told import EFFECTIVE, Told, environment

SECRETS = {
    "VOXTRUNK_API_KEYS": "wonder-key",
    "VOXTRUNK_WEBHOOK_SECRET": "wonder-hook",
    "VOXTRUNK_SIP_ACCOUNTS": '[{"address": "sip:101@pbx.example", "password": "wonder"}]',
    "VOXTRUNK_SIP_LISTEN": "127.0.0.1:5060",
    "VOXTRUNK_HTTP_HOST": "0.0.0.0",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No settings but the test's."""
    for name in os.environ:
        if name.startswith("VOXTRUNK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_a_worker_is_told_no_secrets_and_nothing_of_sip(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    given = environment(Settings(webhook_url=None, level_dbm0=-17))
    ours = {name: value for name, value in given.items() if name.startswith("VOXTRUNK_")}
    assert list(ours) == [EFFECTIVE]
    assert "wonder" not in ours[EFFECTIVE]
    told = json.loads(ours[EFFECTIVE])
    assert not [name for name in told if name.startswith(("sip_", "webhook_secret", "webhook_url", "api_"))]
    assert told["level_dbm0"] == -17


@pytest.mark.parametrize(
    "file",
    [
        'http_host = "0.0.0.0"\nlevel_dbm0 = -30',
        'sip_listen = ["127.0.0.1:5060"]\nrtp_addresses = ["0.0.0.0"]\nlevel_dbm0 = -30',
        'sip_accounts = [{address = "sip:a@b", password = "wonder"}]',
    ],
)
def test_a_worker_takes_what_control_tells_it_and_nothing_else(monkeypatch, tmp_path, file):
    """The file is read by control, whose secrets, from the environment, may be what makes it valid."""
    (tmp_path / "voxtrunk.toml").write_text(file)
    monkeypatch.setenv("VOXTRUNK_API_KEYS", "wonder-key")
    monkeypatch.setenv("VOXTRUNK_SIP_MEDIA_ADDRESS", "192.0.2.1")
    given = environment(Settings(level_dbm0=-17))
    program = "from gateway.told import told; print(told().level_dbm0)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=given,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == -17


def test_all_of_it_arrives_as_it_was():
    given = {"voices_folder": "~/voices", "media_cpus": "1", "rtp_allow": "10.0.0.0/8,::1/128"}
    settings = Settings(**given, log_level="DEBUG")
    told = Told.of(settings)
    assert told.voices_folder == Path.home() / "voices"
    assert (told.media_cpus, told.rtp_allow) == ((1,), ("10.0.0.0/8", "::1/128"))
    assert (told.rtp_ports, told.lexicons_folder, told.log_level) == (settings.rtp_ports, None, "DEBUG")
