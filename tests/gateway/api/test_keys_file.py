"""`voxtrunk keys`: entries come and go, the rest of a file stays, and what would not do is not written."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.api import keys_file
from gateway.api.keyring import BadKeys, Keyring
from gateway.cli import app
from gateway.settings import Settings

OLD = """# ours
[[keys]]   # of the phone menu
name = "ivr"
key = "plain"

[[issuers]]
name = "app"
issuer = "i"
audience = "a"
secret = "0123456789abcdef0123456789abcdef"
"""


def ring(path: Path) -> Keyring:
    return Keyring(Settings(api_keys_file=path))


def voxtrunk(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["keys", *map(str, arguments)])


def test_a_key_is_made_listed_used_and_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    first = voxtrunk("add", "one", "--file", path)
    assert first.exit_code == 0, first.output
    more = ("--scope", "speak", "--rtp-allow", "10.1.0.0/16", "--voice", "neural:*", "--max-calls", 3)
    second = voxtrunk("add", "two", "--file", path, *more, "--requests", 5, "--seconds", 2, "--days", 1)
    one, two = first.stdout.strip(), second.stdout.strip()
    assert one.startswith("vxt_")
    assert len(one) == 47
    assert one != two
    text = path.read_text()
    assert one not in text
    assert two not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {child.name for child in tmp_path.iterdir()} == {"keys.toml"}
    key = ring(path).find(two.encode())
    assert key is not None
    assert (key.name, key.scopes, key.max_calls, key.requests, key.seconds) == ("two", {"speak"}, 3, 5, 2)
    assert (list(map(str, key.rtp_allow)), key.voices) == (["10.1.0.0/16"], ("neural:*",))
    assert key.expires is not None
    listed = json.loads(voxtrunk("list", "--file", path, "--json").stdout)
    assert [row["name"] for row in listed] == ["one", "two"]
    assert one not in voxtrunk("list", "--file", path).stdout
    in_force = ring(path)
    assert voxtrunk("revoke", "one", "--file", path).exit_code == 0
    assert in_force.find(one.encode()) is not None  # until it is read again
    assert in_force.renew() == ["one"]
    assert in_force.find(one.encode()) is None
    assert in_force.find(two.encode()) is not None
    last = voxtrunk("revoke", "two", "--file", path)
    assert last.exit_code == 1
    assert "last key" in last.output


def test_what_else_a_file_says_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(OLD)
    path.chmod(0o640)
    keys_file.add(path, "new")
    assert path.read_text().startswith(OLD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    keys_file.revoke(path, "ivr")
    text = path.read_text()
    assert text.startswith("# ours\n[[issuers]]")
    assert [key.name for key in ring(path).keys] == ["new"]
    keys_file.revoke(path, "new")  # issuers are left, so keys are still asked for
    assert ring(path).guards


@pytest.mark.parametrize(
    ("text", "arguments", "why"),
    [
        (OLD, ("add", "ivr"), "already"),
        (OLD, ("add", "a b"), "name"),
        (OLD, ("add", "x", "--rtp-allow", "nowhere"), "rtp_allow"),
        (OLD, ("add", "x", "--requests", "-1"), "requests"),
        ("nonsense", ("add", "x"), "TOML"),
        (OLD, ("revoke", "nobody"), "no key nobody"),
        ('keys = [{name = "a", key = "x"}, {name = "b", key = "y"}]', ("revoke", "a"), "by hand"),
        ('[[keys]]\nname = "a"\nkey = """\n[[keys]]\n"""\n', ("revoke", "a"), "TOML|by hand"),
    ],
)
def test_a_file_that_would_not_do_stays_as_it_was(
    tmp_path: Path, text: str, arguments: tuple[str, ...], why: str
) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    told = voxtrunk(*arguments, "--file", path)
    assert told.exit_code == 1
    assert any(each in " ".join(told.output.split()) for each in why.split("|")), told.output
    assert path.read_text() == text
    assert {child.name for child in tmp_path.iterdir()} == {"keys.toml"}


def test_no_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VOXTRUNK_API_KEYS_FILE", raising=False)
    assert voxtrunk("list").exit_code == 2
    monkeypatch.setenv("VOXTRUNK_API_KEYS_FILE", str(tmp_path / "k"))
    assert voxtrunk("list", "--json").stdout.strip() == "[]"
    with pytest.raises(BadKeys, match="no key x"):
        keys_file.revoke(tmp_path / "k", "x")
