"""``voxtrunk bench list | run NAME | report``: benches, their results, and the report on them.

``run`` may be left out.
"""

from __future__ import annotations

import subprocess
import sys

import typer
from rich.console import Console
from rich.table import Table

from bench import machine, report
from bench.commands import benches, runs

app = typer.Typer(help="Figures that anyone can check.", no_args_is_help=True)
app.add_typer(runs, name="run")
_log = Console(stderr=True)


@runs.command("all")
def all_command() -> None:
    """Every bench with its defaults, one after the other, and then the report."""
    failed = []
    for name in benches():
        if name != "all":
            _log.rule(name)
            ended = subprocess.run([sys.executable, "-m", "bench", "run", name], check=False)
            if ended.returncode:
                failed.append(name)
    report_command()
    if failed:
        typer.echo(f"did not end well: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


@app.command("list")
def list_command() -> None:
    """Every bench, and when its result here is from."""
    table = Table("bench", "result of", "commit", "", box=None)
    for name, what in benches().items():
        kept = machine.kept(name)
        came = kept["machine"] if kept else {}
        table.add_row(name, came.get("time", "-"), came.get("commit") or "-", what)
    Console().print(table)


@app.command("report")
def report_command() -> None:
    """Write bench/REPORT.md and its pictures from bench/results/."""
    typer.echo(f"wrote {report.write()}")


app.add_typer(runs)  # without a name of their own, once `all` is among them


if __name__ == "__main__":
    app()
