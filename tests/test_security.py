"""docs/security.md tells the truth: its tests exist, its examples work, its settings are settings."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from gateway.api.keyring import Keyring
from gateway.api.tokens import Tokens
from gateway.settings import Settings

HERE = Path(__file__).parents[1]
PAGE = (HERE / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((HERE / file).read_text())
    functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_each_threat_names_a_test() -> None:
    threats = PAGE.split("## Who could do what")[1].split("## What is not stopped")[0]
    rows = [line for line in threats.splitlines() if line.startswith("| ") and not line.startswith("| how")]
    assert len(rows) > 35
    for row in rows:
        assert "::test_" in row.rsplit(" | ", 1)[1], row
    assert PAGE.count("`tests/") == len(re.findall(r"`tests/[\w/]+\.py::\w+`", PAGE)) + 1  # and this file


def test_the_settings_that_are_named_are_settings() -> None:
    named = {name.lower() for name in re.findall(r"VOXTRUNK_([A-Z_]+)", PAGE)}
    # `VOXTRUNK_A`, `_B`: the second is short for VOXTRUNK_B
    named |= {name.lower() for name in re.findall(r"`_([A-Z_]+)`", PAGE)}
    assert len(named) > 12
    assert named <= set(Settings.model_fields)


async def test_the_example_makes_a_good_token(tmp_path: Path) -> None:
    issuers = block("toml")
    path = tmp_path / "keys.toml"
    path.write_text(issuers)
    scope = {"call_id": "c_1", "secret": tomllib.loads(issuers)["issuers"][0]["secret"]}
    exec(block("python"), scope)
    key = await Tokens(Keyring(Settings(api_keys_file=path))).admit(str(scope["token"]))
    assert (key.name, key.scopes, key.call) == ("app", {"speak"}, "c_1")
