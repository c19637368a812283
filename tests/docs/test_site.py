"""The site: built without a warning, with the API's page in it; a broken link is a warning."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).parents[2]
MKDOCS = Path(sys.executable).parent / "mkdocs"

pytestmark = pytest.mark.skipif(not MKDOCS.exists(), reason="mkdocs is not installed (scripts/setup docs)")


def build(target, *arguments):
    return subprocess.run(
        [MKDOCS, "build", "--strict", "--site-dir", target, *arguments],
        cwd=HERE, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_is_built_without_a_warning_and_asks_nothing_of_the_outside(tmp_path):
    done = build(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    for page in (HERE / "docs").glob("*.md"):
        assert page.stem == "index" or (tmp_path / page.stem / "index.html").exists()
    api = (tmp_path / "api/index.html").read_text()
    assert "/v1/calls/{call_id}/utterances" in api
    assert re.search(r'id="createcall"', api)
    index = (tmp_path / "index.html").read_text()
    assert not re.findall(r'<(?:script|link)[^>]+(?:src|href)="https?://', index)


def hooks():
    spec = importlib.util.spec_from_file_location("hooks", HERE / "docs/.site/hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_link_out_of_the_pages_must_lead_somewhere(caplog):
    page = SimpleNamespace(file=SimpleNamespace(src_path="x.md"))
    text = (
        "[deploy](../deploy/README.md), [more](../tts_core/README.md), "
        "[gone](../deploy/nowhere), [in](voices.md)"
    )
    told = hooks().on_page_markdown(text, page=page, config=None, files=None)
    assert told == "`deploy/README.md`, more (`tts_core/README.md`), gone (`deploy/nowhere`), [in](voices.md)"
    assert [each.getMessage() for each in caplog.records] == [
        "x.md: ../deploy/nowhere is not in the repository"
    ]


def test_a_schema_is_told_in_a_word_or_two():
    said = hooks()._type(
        {
            "anyOf": [
                {"$ref": "#/components/schemas/Beds"},
                {"type": "array", "items": {"type": "integer", "maximum": 9}},
                {"enum": ["a", "b"]},
                {"type": "null"},
            ]
        }
    )
    assert said == "[Beds](#beds) or list of integer, ..9 or `a`, `b` or null"
