"""How a bench's figures are shown and kept; `runs` are the commands, which the modules beside this one add."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import machine

runs = typer.Typer(help="Run a bench, or all of them; each has options of its own.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and keep nothing.")]
log = Console(stderr=True)


def _flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name} ")
        elif not (isinstance(value, list) and len(value) > 5):
            flat[prefix + name] = value
    return flat


def present(name: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print a bench's rows and keep them, or print them as JSON and keep nothing; a lone row's on top too."""
    if as_json:
        told = {"bench": name, "machine": machine.describe(), "figures": rows}
        typer.echo(json.dumps((rows[0] if len(rows) == 1 else {}) | told))
        return
    flat = [_flat(row) for row in rows]
    table = Table("", *(str(number) for number in range(1, len(rows) + 1)), box=None, show_header=False)
    for key in dict.fromkeys(key for row in flat for key in row):
        table.add_row(key.replace("_", " "), *(str(row.get(key, "")) for row in flat))
    Console().print(table)
    typer.echo(f"kept in {machine.save(name, {'rows': rows})}")
