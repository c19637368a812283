"""What mkdocs does not do by itself: the API's page out of OpenAPI, and links that lead out of docs/."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[2]
_OUTWARD = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")
_log = logging.getLogger("mkdocs.hooks.voxtrunk")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Pages that the navigation does not name come last in it, so that none is out of reach."""
    named = set(_pages(config.nav))
    others = sorted(page.name for page in Path(config.docs_dir).glob("*.md") if page.name not in named)
    if others:
        config.nav = [*config.nav, {"More": others}]
    return config


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
        return
    for each in nav.values() if isinstance(nav, dict) else nav:
        yield from _pages(each)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the API's page."""
    files.append(File.generated(config, "api.md", content=api_page(_document())))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A link out of docs/ leads nowhere on a site: it becomes the path in the repository, which must be there."""

    def path(link: re.Match[str]) -> str:
        title, target = link.group(1), link.group(2).rstrip("/")
        if not (REPOSITORY / target).exists():
            _log.warning("%s: ../%s is not in the repository", page.file.src_path, target)
        return f"`{target}`" if title.strip("`").rstrip("/") in target else f"{title} (`{target}`)"

    return _OUTWARD.sub(path, markdown)


def _document() -> dict[str, Any]:
    """OpenAPI of an application that nobody serves."""
    from gateway.api.app import create_app
    from gateway.calls.switchboard import Switchboard
    from gateway.settings import Settings

    settings = Settings()
    return create_app(Switchboard(settings), settings).openapi()


def api_page(document: dict[str, Any]) -> str:
    """Every operation by its tag: parameters, the body's fields, the answers."""
    schemas = document["components"]["schemas"]
    lines = [
        "# API",
        "",
        "Made from the gateway's own OpenAPI, which it serves at `/openapi.json` and, to browse, at `/docs`.",
    ]
    lines += [
        "",
        document["info"]["description"].replace("docs/streaming.md", "[streaming](streaming.md)"),
        "",
    ]
    operations = [
        (operation, method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in document["tags"]:
        lines += [f"## {tag['name'].capitalize()}", "", tag["description"], ""]
        for operation, method, path in operations:
            if tag["name"] in operation.get("tags", ()):
                lines += _operation(operation, method, path)
    lines += ["## Shapes", ""]
    for name, schema in sorted(schemas.items()):
        lines += [f"### {name}", "", _line(schema.get("description", "")), ""]
        if fields := _fields(schema):
            lines += ["| field | type | |", "|---|---|---|", *fields, ""]
        elif "enum" in schema:
            lines += [", ".join(f"`{each}`" for each in schema["enum"]), ""]
    return "\n".join(lines)


def _operation(operation: dict[str, Any], method: str, path: str) -> list[str]:
    lines = [f"### {method} `{path}`", "", operation.get("description") or operation.get("summary", ""), ""]
    if parameters := operation.get("parameters"):
        lines += ["| parameter | in | type | |", "|---|---|---|---|"]
        lines += [
            f"| `{each['name']}` | {each['in']} | {_type(each['schema'])} | "
            f"{_line(each.get('description') or each['schema'].get('description', ''))} |"
            for each in parameters
        ]
        lines.append("")
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        lines += [f"Body, `{media}`: {_type(body.get('schema', {}))}", ""]
    lines += ["| answer | | |", "|---|---|---|"]
    for status, answer in operation["responses"].items():
        shapes = {_type(content.get("schema", {})) for content in answer.get("content", {}).values()}
        lines.append(f"| {status} | {', '.join(sorted(shapes))} | {_line(answer.get('description', ''))} |")
    return [*lines, ""]


def _fields(schema: dict[str, Any]) -> list[str]:
    needed = schema.get("required", ())
    return [
        f"| `{name}`{' (needed)' if name in needed else ''} | {_type(field)} "
        f"| {_line(field.get('description', ''))} |"
        for name, field in schema.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    """A schema in a word or two, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[key]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    return (
        kind
        if low is None and high is None
        else f"{kind}, {'' if low is None else low}..{'' if high is None else high}"
    )


def _line(text: str) -> str:
    """As a cell of a table takes it."""
    return " ".join(text.split()).replace("|", "\\|")
