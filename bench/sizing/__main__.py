"""``python -m bench.sizing``: what ``voxtrunk size`` runs. With ``--measured`` it needs no extra."""

import typer

from bench.sizing.cli import size

if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(size)
    app(prog_name="voxtrunk size")
