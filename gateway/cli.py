"""The command line: ``voxtrunk serve | say | listen | voices | keys | settings | doctor | size | demo …``."""

from __future__ import annotations

import json
import logging
import os
import sys
import tomllib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer
import uvloop
from pydantic import ValidationError

from gateway import logs
from gateway.listen.cli import listen_command
from gateway.running import RunningGateway
from gateway.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from voxtrunk.client import Utterance
    from voxtrunk.client.orders import OpenCall

# what a command alone needs, it imports itself: `serve` would carry it as long as it runs

app = typer.Typer(
    help="Voxtrunk speaks text into telephone calls.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.command("listen")(listen_command)
voices_app = typer.Typer()
app.add_typer(voices_app, name="voices")
keys_app = typer.Typer(help="API keys, in VOXTRUNK_API_KEYS_FILE.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

_log = logging.getLogger("voxtrunk")
_USAGE = 2
_LONGEST_DAYS = 36_500
Codec = Literal["PCMU", "PCMA"]
_SENTENCE: Final = (
    "Hello, this is Voxtrunk. What you hear was text a moment ago, and has come to you as telephone audio, "
    "fifty packets a second, none of them late."
)


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        file = os.environ.get("VOXTRUNK_CONFIG") or "voxtrunk.toml"
        why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else f"is not TOML: {error}"
        _fail(f"{file} (VOXTRUNK_CONFIG) {why}", _USAGE)


def _cores(settings: Settings) -> None:
    """Ends where the settings name none but cores that no process of ours may use."""
    before = os.sched_getaffinity(0)  # which may be fewer than workers can have
    for name in ("media_cpus", "other_cpus"):
        if cpus := getattr(settings, name):
            try:
                os.sched_setaffinity(0, cpus)
            except OSError as error:
                _fail(
                    f"VOXTRUNK_{name.upper()} names {list(cpus)}: {error.strerror}: they may not be used",
                    _USAGE,
                )
    os.sched_setaffinity(0, before)


def _place(wav: Path | None) -> None:
    if wav is not None and not wav.parent.is_dir():
        _fail(f"--wav {wav}: there is no folder {wav.parent}", _USAGE)


@app.command()
def serve(
    http: Annotated[
        str | None, typer.Option(help="Where the control API listens; port 0: a free one.")
    ] = None,
    rtp_ports: Annotated[str | None, typer.Option(help="RTP port range, e.g. 20000-29999.")] = None,
    sip: Annotated[
        list[str] | None, typer.Option(help="Where SIP is spoken, e.g. 127.0.0.1:5060; may be repeated.")
    ] = None,
    tls: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="CERTIFICATE KEY", help="PEM files: the API is served by https."),
    ] = None,
    proxy_headers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="Proxy whose X-Forwarded-For and -Proto are believed; may be repeated."
        ),
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
    if tls is not None:
        given["tls_certificate"], given["tls_key"] = tls
    if proxy_headers:
        given["proxy_headers"] = tuple(proxy_headers)
    settings = _settings(**given)
    logs.configure(settings.log_level, settings.log_json)
    if settings.speaks_plainly:
        _log.warning(
            "onnxruntime is not installed (scripts/setup neural): calls that name no voice speak with %s",
            settings.default_voice,
        )
    if settings.providers_file is not None:
        from tts_core.remote.config import BadProviders, read_plan

        try:
            read_plan(settings.providers_file)
        except BadProviders as error:
            _fail(f"VOXTRUNK_PROVIDERS_FILE: {error}")
    _cores(settings)
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
        what, extra = ("traces need", "otel") if "opentelemetry" in str(error) else ("SIP needs", "sip")
        _fail(f"{what} the extra: scripts/setup {extra}, or pip install voxtrunk[{extra}] ({error})")
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
    from rich.console import Console

    from voxtrunk.client import ClientError

    _place(wav)
    address, port = _host_port(to)
    order: OpenCall = {"rtp": {"address": address, "port": port}, "codec": codec, "silence": "suppress"}
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
    except (ClientError, RuntimeError, OSError) as error:
        _fail(str(error))
    if as_json:
        typer.echo(said.json())
    elif said.state == "finished":
        typer.echo(
            f"spoke {said.spoken_ms / 1000:.2f} s to {to}, first audio after {said.first_audio_ms:.0f} ms"
        )
    if said.state != "finished":
        _fail(f"the utterance {said.state}: {said.cause}")


def _say(url: str, key: str | None, order: OpenCall, text: str, console: Console) -> Utterance:
    from voxtrunk.client import Client

    with Client(url, key) as client, console.status("speaking"), client.call(**order) as line:
        return line.wait(line.say(text))


@voices_app.callback(invoke_without_command=True)
def voices(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """List the voices that this installation can speak with; add and remove voices of your own."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gateway.speech.abroad import open_door
    from tts_core import TtsError

    try:
        door, abroad = open_door(_settings())
    except TtsError as error:
        _fail(str(error))
    found = door.voices()
    if abroad is not None:
        abroad.close()
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
    source: Annotated[
        Path,
        typer.Argument(
            help="A voice package's folder, or a Piper voice: NAME.onnx, NAME.onnx.json beside it."
        ),
    ],
) -> None:
    """Check a voice, let it speak, and put it into VOXTRUNK_VOICES_FOLDER."""
    from tts_core import TtsError
    from tts_core.adding import add

    target = _settings().voices_folder
    try:
        name = add(source, target)
    except (TtsError, OSError) as error:
        _fail(" ".join(str(error).split()))
    typer.echo(f"added {name} to {target}; a running gateway offers it in a few seconds")


@voices_app.command("remove")
def remove_voice(
    name: Annotated[str, typer.Argument(help="Its name, as `voxtrunk voices` lists it.")],
) -> None:
    """Remove a voice that was added."""
    from tts_core import TtsError
    from tts_core.adding import remove

    target = _settings().voices_folder
    try:
        remove(name, target)
    except (TtsError, OSError) as error:
        _fail(" ".join(str(error).split()))
    typer.echo(f"removed {name} from {target}")


KeysFile = Annotated[Path | None, typer.Option("--file", help="Omitted: VOXTRUNK_API_KEYS_FILE.")]
_RELOAD = "a running gateway takes it in by SIGHUP or POST /v1/admin/reload"


def _keys_file(given: Path | None) -> Path:
    path = given or _settings().api_keys_file
    if path is None:
        _fail("name a file: --file, or VOXTRUNK_API_KEYS_FILE", _USAGE)
    return path


@keys_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What metrics and logs call it.")],
    file: KeysFile = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="speak, read or admin; may be repeated. Omitted: speak and read."),
    ] = None,
    rtp_allow: Annotated[
        list[str] | None, typer.Option(help="Network that it may send RTP to, inside VOXTRUNK_RTP_ALLOW.")
    ] = None,
    voice: Annotated[
        list[str] | None, typer.Option(help="Voice that it may speak with, a name or pattern.")
    ] = None,
    own_calls: Annotated[
        bool, typer.Option("--own-calls", help="Others' calls are not there for it.")
    ] = False,
    max_calls: Annotated[int | None, typer.Option(help="Open at once.")] = None,
    requests: Annotated[int | None, typer.Option(help="In --seconds.")] = None,
    seconds: Annotated[int | None, typer.Option()] = None,
    days: Annotated[
        float | None, typer.Option(min=0, max=_LONGEST_DAYS, help="After which it expires.")
    ] = None,
) -> None:
    """Make a key and print it, once: the file keeps its SHA-256."""
    from gateway.api import keys_file
    from gateway.api.keyring import BadKeys

    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    path = _keys_file(file)
    try:
        secret = keys_file.add(
            path,
            name,
            scopes=scope or (),
            rtp_allow=rtp_allow or (),
            voices=voice or (),
            own_calls=own_calls,
            max_calls=max_calls,
            requests=requests,
            seconds=seconds,
            expires=expires,
        )
    except (BadKeys, OSError) as error:
        _fail(str(error))
    typer.echo(f"added {name} to {path}; it is not shown again; {_RELOAD}", err=True)
    typer.echo(secret)


@keys_app.command("list")
def list_keys(
    file: KeysFile = None, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """List the keys: names and limits, never a key."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gateway.api import keys_file
    from gateway.api.keyring import BadKeys

    try:
        found = keys_file.rows(_keys_file(file))
    except (BadKeys, OSError) as error:
        _fail(str(error))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in found], default=str))
        return
    table = Table("name", "scopes", "expires", "max calls", "requests", "rtp_allow", "voices", box=None)
    for row in found:
        cells = (
            row.name,
            " ".join(row.scopes),
            row.expires or "never",
            row.max_calls,
            row.requests,
            " ".join(row.rtp_allow) or "all",
            " ".join(row.voices) or "all",
        )
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in cells))
    Console().print(table)


@keys_app.command("revoke")
def revoke_key(
    name: Annotated[str, typer.Argument(help="As `voxtrunk keys list` has it.")], file: KeysFile = None
) -> None:
    """Take a key away."""
    from gateway.api import keys_file
    from gateway.api.keyring import BadKeys

    path = _keys_file(file)
    try:
        keys_file.revoke(path, name)
    except (BadKeys, OSError) as error:
        _fail(str(error))
    typer.echo(f"revoked {name} in {path}; {_RELOAD}")


@app.command("settings")
def show_settings() -> None:
    """List every setting: its environment variable, its default, what it means."""
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "default", "meaning", box=None)
    for name, field in Settings.model_fields.items():
        value = field.get_default(call_default_factory=True, validated_data={})
        default = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        table.add_row(f"VOXTRUNK_{name.upper()}", default, field.description)
    Console().print(table)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Check this machine against the settings: what to change, and how. Exit 1 if something must be changed."""
    from gateway.doctor.cli import doctor_command

    doctor_command(_settings(), as_json)


@app.command()
def demo(
    text: Annotated[str, typer.Option(help="What to say.")] = _SENTENCE,
    codec: Annotated[Codec, typer.Option()] = "PCMU",
    voice: Annotated[str | None, typer.Option(help="See `voxtrunk voices`.")] = None,
    folder: Annotated[Path, typer.Option(help="Where demo.wav and demo.png go.")] = Path(),
) -> None:
    """Speak a sentence over RTP to our own listener; leaves demo.wav, demo.png and a report."""
    from rich.console import Console

    from gateway.demo import demonstrate
    from voxtrunk.client import ClientError

    wav, picture = folder / "demo.wav", folder / "demo.png"
    console = Console()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Console(stderr=True).status("starting a gateway, speaking, listening"):
            found = demonstrate(text, codec, voice, wav, picture)
    except (ClientError, RuntimeError, ImportError, OSError) as error:
        _fail(str(error))
    console.print(found.heard.render())
    said, statistics = found.utterance, found.call.statistics
    packets = "unknown" if statistics is None else statistics.packets
    console.print(
        f"first audio {said.first_audio_ms or 0:.0f} ms after the request · spoken {said.spoken_ms} ms · "
        f"underruns {said.underruns} · packets sent {packets}"
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
    """The benches: `voxtrunk bench list | run NAME | report`; `run` may be left out."""
    os.execv(sys.executable, [sys.executable, "-m", "bench", *context.args])


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def size(context: typer.Context) -> None:
    """What so many calls a day need: legs, cores, memory, bandwidth, GPUs; `voxtrunk size --help`."""
    os.execv(sys.executable, [sys.executable, "-m", "bench.sizing", *context.args])


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
