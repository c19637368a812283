"""One target under libFuzzer, led by what of our code an input reaches: `scripts/fuzz` runs all of them so.

python tests/fuzz TARGET -runs=N -seed=N FOLDER…         libFuzzer's options and corpora
"""

import sys

import atheris

_PARSERS = [
    "tts_core.document",
    "tts_core.lexicon",
    "tts_core.neural.graphs",
    "tts_core.neural.package",
    "tts_core.piper.settings",
    "tts_core.plan",
    "tts_core.prosody",
    "tts_core.reading",
    "tts_core.script",
    "tts_core.ssml",
    "telephony_codecs.media_file",
    "gateway.api.audio",
    "gateway.api.body",
    "gateway.api.keyring",
    "gateway.api.prompts",
    "gateway.api.requests",
    "gateway.api.speech",
    "gateway.listen.packets",
    "gateway.listen.rtcp",
    "gateway.media.dtmf",
    "gateway.media.packet",
    "gateway.media.rtcp",
    "gateway.settings",
    "sip_glue",
    "targets",
]
with atheris.instrument_imports(include=_PARSERS):
    from targets import LONGEST, TARGETS


def main() -> None:
    """Until it has had its runs, or found something: then the process ends with a trace and the input's file."""
    _, name, *options = sys.argv
    atheris.Setup([name, f"-max_len={LONGEST}", *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
