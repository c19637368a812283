"""``voxtrunk doctor``: whether this machine is fit for its settings, and what to change where it is not."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.doctor.checks import judge
from gateway.doctor.reading import read
from gateway.settings import Settings

_STYLES = {"ok": "green", "advice": "yellow", "change": "bold red"}


def doctor_command(settings: Settings, as_json: bool) -> None:
    """Print what was found. Exits with 1 when something must be changed."""
    findings = judge(settings, read(settings))
    wrong = [finding for finding in findings if finding.verdict == "change"]
    if as_json:
        typer.echo(
            json.dumps({"fit": not wrong, "findings": [asdict(finding) for finding in findings]}, indent=2)
        )
    else:
        table = Table(box=None, show_header=False)
        for each in findings:
            told = escape(each.detail) + (f"\n[bold]-> {escape(each.change)}[/]" if each.change else "")
            table.add_row(f"[{_STYLES[each.verdict]}]{each.verdict}[/]", each.name, told)
        Console().print(table)
        typer.echo(f"{len(wrong)} to change" if wrong else "nothing must be changed")
    raise typer.Exit(1 if wrong else 0)
