"""Prompts: recorded audio that an utterance may name. A name can never lead out of the prompts folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.errors import Refusal

EXTENSIONS: Final = (".wav", ".mp3", ".ogg", ".opus", ".flac", ".m4a", ".aac", ".aiff", ".au")
_PART: Final = re.compile(r"\w[\w .,+@()-]*")  # no leading dot, so no "..", no backslash, no NUL


def is_name(name: str) -> bool:
    """Whether ``name`` could be a prompt's: it leads nowhere but down."""
    return all(_PART.fullmatch(part) for part in name.split("/"))


class Prompts:
    """Finds prompt files under ``folder``; with None there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(self, name: str) -> Path:
        """The file that ``name`` means, absolute and free of links.

        ``name`` is a path below the folder with or without the extension. Raises Refusal ``unknown_prompt``.
        Touches the disk: call it from a thread.
        """
        if self._folder is None:
            raise _unknown("There are no prompts: VOXTRUNK_PROMPTS_FOLDER is not set")
        if not is_name(name):
            raise _unknown(
                "A prompt is named by its path below VOXTRUNK_PROMPTS_FOLDER, like greetings/hello"
            )
        try:
            root = self._folder.resolve(strict=True)
        except OSError:
            raise _unknown("VOXTRUNK_PROMPTS_FOLDER cannot be read") from None
        exact = name.lower().endswith(EXTENSIONS)
        for candidate in [name] if exact else [name + extension for extension in EXTENSIONS]:
            try:
                path = (root / candidate).resolve(strict=True)
            except (OSError, RuntimeError):  # no such file, name too long, a loop of links
                continue
            if path.is_relative_to(root) and path.suffix.lower() in EXTENSIONS and path.is_file():
                return path
        raise _unknown(f"No prompt {name[:100]!r} in VOXTRUNK_PROMPTS_FOLDER ({', '.join(EXTENSIONS)})")


def _unknown(detail: str) -> Refusal:
    return Refusal("unknown_prompt", detail, field="prompt")
