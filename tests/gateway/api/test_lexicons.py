"""Lexicons over the API: what is put can be read, or nothing is changed; and nothing leaves the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from telephony_codecs import write_wav

PLS = b"""<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa"
 xml:lang="en">
<lexeme><grapheme>Voxtrunk</grapheme><alias>the gateway</alias></lexeme></lexicon>"""
KEYS = '[[keys]]\nname = "ops"\nkey = "may"\nadmin = true\n\n[[keys]]\nname = "ivr"\nkey = "may not"\n'


async def test_put_get_list_and_delete(in_process: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "lexicons"
    async with in_process(lexicons_folder=folder) as api:
        assert (await api.http.get("/v1/lexicons")).json() == {"lexicons": []}
        for status in (201, 200):
            answer = await api.http.put("/v1/lexicons/names", content=PLS)
            assert (answer.status_code, answer.json()) == (status, {"name": "names"})
        assert os.listdir(folder) == ["names.pls"]
        answer = await api.http.get("/v1/lexicons/names")
        assert (answer.content, answer.headers["content-type"]) == (PLS, "application/pls+xml")
        assert (await api.http.get("/v1/lexicons")).json() == {"lexicons": ["names"]}

        bad = await api.http.put("/v1/lexicons/names", content=b"<lexicon>\n<lexeme/></lexicon>")
        assert (bad.status_code, bad.json()["code"]) == (422, "bad_lexicon")
        assert "line 2, column" in bad.json()["detail"]
        assert (await api.http.get("/v1/lexicons/names")).content == PLS, "what was there stays"
        assert os.listdir(folder) == ["names.pls"]

        assert (await api.http.delete("/v1/lexicons/names")).status_code == 204
        for method in ("get", "delete"):
            gone = await getattr(api.http, method)("/v1/lexicons/names")
            assert (gone.status_code, gone.json()["code"]) == (422, "unknown_lexicon")


@pytest.mark.parametrize("name", ["..", ".hidden", "../up", "a/b", "a\\b", "a\0b", "x" * 101, " "])
async def test_a_name_leads_nowhere_else(in_process: Callable[..., Any], tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in" / "lexicons"
    async with in_process(lexicons_folder=folder) as api:
        for method in ("GET", "PUT", "DELETE"):
            answer = await api.http.request(method, f"/v1/lexicons/{quote(name, safe='')}", content=PLS)
            assert answer.status_code in (404, 405, 422), answer.text
    assert not [names for _, _, names in os.walk(tmp_path) if names]


async def test_only_administrators_change_any(in_process: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(KEYS)
    async with in_process(api_keys_file=file, lexicons_folder=tmp_path) as api:
        for key, status in (("may not", 403), ("may", 201)):
            headers = {"x-api-key": key}
            answer = await api.http.put("/v1/lexicons/names", content=PLS, headers=headers)
            assert answer.status_code == status
        headers = {"x-api-key": "may not"}
        assert (await api.http.delete("/v1/lexicons/names", headers=headers)).status_code == 403
        assert (await api.http.get("/v1/lexicons/names", headers=headers)).status_code == 200


async def test_without_a_folder_there_are_none(in_process: Callable[..., Any]) -> None:
    async with in_process() as api:
        answer = await api.http.put("/v1/lexicons/names", content=PLS)
        assert answer.status_code == 422
        assert "VOXTRUNK_LEXICONS_FOLDER is not set" in answer.json()["detail"]


async def test_a_reload_tells_which_files_have_changed_and_which_cannot_be_used(
    in_process: Callable[..., Any], tmp_path: Path
) -> None:
    lexicons, prompts = tmp_path / "lexicons", tmp_path / "prompts"
    for folder in (lexicons, prompts / "de"):
        folder.mkdir(parents=True)
    (lexicons / "old.pls").write_bytes(PLS)
    write_wav(prompts / "old.wav", np.zeros(800, np.int16) + 9, 8000)
    async with in_process(lexicons_folder=lexicons, prompts_folder=prompts) as api:

        async def reload() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
            told = (await api.http.post("/v1/admin/reload")).json()
            kinds = ("lexicons", "prompts")
            return {k: told["changed"][k] for k in kinds}, told["errors"]

        nothing: dict[str, list[str]] = {"lexicons": [], "prompts": []}
        assert await reload() == (nothing, {})
        (lexicons / "bad.pls").write_text("<lexicon>")
        (prompts / "de" / "bad.wav").write_text("no audio")
        (prompts / "old.wav").unlink()
        write_wav(prompts / "de" / "new.wav", np.zeros(800, np.int16) + 9, 8000)
        changed, errors = await reload()
        assert changed == {"lexicons": ["bad.pls"], "prompts": ["de/bad.wav", "de/new.wav", "old.wav"]}
        assert "bad.pls: line 1" in errors["lexicons"][0]
        assert "de/bad.wav: " in errors["prompts"][0]
        assert (await reload()) == (nothing, errors), "what is wrong is told until it is mended"
        (lexicons / "bad.pls").write_bytes(PLS)
        (prompts / "de" / "bad.wav").unlink()
        assert await reload() == ({"lexicons": ["bad.pls"], "prompts": ["de/bad.wav"]}, {})
