"""The command line: ``voxtrunk serve | say | listen | voices | export | settings | demo | bench``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import httpx
import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway import demo as demonstration
from gateway import logs
from gateway.client import Client, Refused
from gateway.listen.cli import listen_command
from gateway.running import RunningGateway
from gateway.settings import Settings

app = typer.Typer(
    help="Voxtrunk speaks text into telephone calls.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.command("listen")(listen_command)
voices_app = typer.Typer()
app.add_typer(voices_app, name="voices")

_USAGE = 2
Codec = Literal["PCMU", "PCMA"]


def _fail(message: str, status: int = 1) -> NoReturn:
    typer.echo(f"voxtrunk: {message}", err=True)
    raise typer.Exit(status)


def _host_port(value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        _fail(f"{value!r}: write ADDRESS:PORT, for example 127.0.0.1:40000 or [::1]:40000", _USAGE)
    return host.strip("[]"), int(port)


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        _fail("the settings are not right:\n" + "\n".join(lines), _USAGE)


@app.command()
def serve(
    http: Annotated[
        str | None, typer.Option(help="Where the control API listens; port 0: a free one.")
    ] = None,
    rtp_ports: Annotated[str | None, typer.Option(help="RTP port range, e.g. 20000-29999.")] = None,
    sip: Annotated[
        list[str] | None, typer.Option(help="Where SIP is spoken, e.g. 127.0.0.1:5060; may be repeated.")
    ] = None,
) -> None:
    """Run the gateway until SIGTERM. All settings: VOXTRUNK_… in the environment, or voxtrunk.toml."""
    from gateway.api.server import serve as serve_api
    from gateway.calls.switchboard import Switchboard
    from gateway.calls.workers import WorkerFailed

    given: dict[str, Any] = {}
    if http is not None:
        given["http_host"], given["http_port"] = _host_port(http)
    if rtp_ports is not None:
        given["rtp_ports"] = rtp_ports
    if sip:
        given["sip_listen"] = tuple(sip)
    settings = _settings(**given)
    logs.configure(settings)
    if settings.other_cpus:
        os.sched_setaffinity(0, settings.other_cpus)

    def bound(url: str, *sip_uris: str) -> None:
        typer.echo(f"voxtrunk takes calls at {url}")
        if sip_uris:
            typer.echo(f"voxtrunk speaks SIP at {' '.join(sip_uris)}")
        sys.stdout.flush()

    try:
        uvloop.run(serve_api(Switchboard(settings), settings, bound))
    except ImportError as error:
        _fail(f"SIP needs the extra: scripts/setup sip, or pip install voxtrunk[sip] ({error})")
    except (OSError, ValueError, TimeoutError, WorkerFailed) as error:
        _fail(f"cannot serve: {error}")


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    to: Annotated[str, typer.Option(help="RTP target, ADDRESS:PORT.")],
    codec: Annotated[Codec, typer.Option()] = "PCMU",
    voice: Annotated[str | None, typer.Option(help="See `voxtrunk voices`.")] = None,
    gateway: Annotated[
        str | None, typer.Option(help="URL of a running gateway; else one is started.")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar="VOXTRUNK_KEY", help="Its API key.")] = None,
    wav: Annotated[Path | None, typer.Option(help="Also write the audio, as the line carries it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with the utterance as JSON.")] = False,
) -> None:
    """Speak a text to an RTP target and wait for its end."""
    address, port = _host_port(to)
    order: dict[str, Any] = {"rtp": {"address": address, "port": port}, "codec": codec, "silence": "suppress"}
    if voice is not None:
        order["voice"] = voice
    console = Console(stderr=True, quiet=as_json)
    try:
        if gateway is None:
            with RunningGateway() as own:
                said = _say(own.url, None, order, text, console)
        else:
            said = _say(gateway, key, order, text, console)
        if wav is not None:
            from gateway.speech.offline import write_line_audio

            write_line_audio(wav, text, voice, codec, _settings())
    except (Refused, RuntimeError, httpx.HTTPError, OSError) as error:
        _fail(str(error))
    if as_json:
        typer.echo(json.dumps(said))
    elif said["state"] == "finished":
        first = said["first_audio_ms"]
        typer.echo(f"spoke {said['spoken_ms'] / 1000:.2f} s to {to}, first audio after {first:.0f} ms")
    if said["state"] != "finished":
        _fail(f"the utterance {said['state']}: {said['cause']}")


def _say(url: str, key: str | None, order: dict[str, Any], text: str, console: Console) -> dict[str, Any]:
    with Client(url, key) as client, console.status("speaking"):
        call = client.request("POST", "/v1/calls", order)
        try:
            return client.say(call["id"], 7200, text=text)
        finally:
            client.request("DELETE", f"/v1/calls/{call['id']}")


@voices_app.callback(invoke_without_command=True)
def voices(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """List the voices that this installation can speak with; add and remove voices of your own."""
    if context.invoked_subcommand is not None:
        return
    from tts_core import TtsError, open_default

    try:
        found = open_default(_settings().voices_folder).voices()
    except TtsError as error:
        _fail(str(error))
    columns = ("name", "language", "gender", "engine", "version", "licence", "teacher", "description")
    if as_json:
        typer.echo(json.dumps([{column: getattr(v, column) for column in columns} for v in found]))
        return
    table = Table(*columns, box=None)
    for v in found:
        table.add_row(*(escape(getattr(v, column)) for column in columns))
    Console().print(table)


@voices_app.command("add")
def add_voice(
    folder: Annotated[Path, typer.Argument(help="A voice package: a folder with voice.json.")],
) -> None:
    """Check a voice package, let it speak, and copy it to VOXTRUNK_VOICES_FOLDER."""
    from tts_core import TtsError
    from tts_core.neural import engine

    target = _settings().voices_folder
    try:
        manifest = engine.add(folder, target).manifest
    except (TtsError, OSError) as error:
        _fail(" ".join(str(error).split()))
    typer.echo(f"added neural:{manifest.name} to {target}; a gateway offers it from its next start on")


@voices_app.command("remove")
def remove_voice(
    name: Annotated[str, typer.Argument(help="Its name, as `voxtrunk voices` lists it.")],
) -> None:
    """Remove a voice that was added."""
    from tts_core import TtsError
    from tts_core.neural import engine

    target = _settings().voices_folder
    try:
        engine.remove(name, target)
    except (TtsError, OSError) as error:
        _fail(" ".join(str(error).split()))
    typer.echo(f"removed {name} from {target}")


@app.command("settings")
def show_settings() -> None:
    """List every setting: its environment variable, its default, what it means."""
    table = Table("setting", "default", "meaning", box=None)
    for name, field in Settings.model_fields.items():
        default = (
            ", ".join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)
        )
        table.add_row(f"VOXTRUNK_{name.upper()}", default, field.description)
    Console().print(table)


@app.command()
def demo(
    text: Annotated[str, typer.Option(help="What to say.")] = demonstration.SENTENCE,
    codec: Annotated[Codec, typer.Option()] = "PCMU",
    voice: Annotated[str | None, typer.Option(help="See `voxtrunk voices`.")] = None,
    folder: Annotated[Path, typer.Option(help="Where demo.wav and demo.png go.")] = Path(),
) -> None:
    """Speak a sentence over RTP to our own listener; leaves demo.wav, demo.png and a report."""
    wav, picture = folder / "demo.wav", folder / "demo.png"
    console = Console()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Console(stderr=True).status("starting a gateway, speaking, listening"):
            found = demonstration.demonstrate(text, codec, voice, wav, picture)
    except (Refused, RuntimeError, ImportError, OSError) as error:
        _fail(str(error))
    console.print(found.heard.render())
    said, statistics = found.utterance, found.call["statistics"]
    console.print(
        f"first audio {said['first_audio_ms']:.0f} ms after the request · spoken {said['spoken_ms']} ms · "
        f"underruns {said['underruns']} · packets sent {statistics['packets']}"
    )
    console.print(f"wrote {wav} and {picture}")


@app.command()
def export(
    voice: Annotated[
        str, typer.Argument(help="A neural voice, such as neural:en-us-slt, or a voice's folder.")
    ],
    form: Annotated[str, typer.Option("--format", help="onnx or tensorrt")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32, fp16, or int8 for onnx")] = "fp32",
    to: Annotated[Path | None, typer.Option(help="A new or empty folder.")] = None,
) -> None:
    """Write a neural voice in another precision, or for TensorRT."""
    from tts_core.errors import TtsError
    from tts_core.neural.exporting import export as exported

    try:
        for line in exported(voice, form, precision, to, _settings().voices_folder):
            typer.echo(line)
    except TtsError as error:
        _fail(str(error))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def bench(context: typer.Context) -> None:
    """The load benches; `voxtrunk bench --help` lists them."""
    os.execv(sys.executable, [sys.executable, "-m", "bench", *context.args])


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def train(context: typer.Context) -> None:
    """Teach a voice of your own; `voxtrunk train --help` says how."""
    from tts_core.neural.learn.cli import app as learning

    learning(context.args, prog_name="voxtrunk train")


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
