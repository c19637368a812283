"""IPA in espeak-ng's own phoneme names, by what IPA the library itself writes for each of them."""

from __future__ import annotations

import struct
from pathlib import Path

STRESS = {"ˈ": "'", "ˌ": ","}
_TABLE, _PHONEME = 36, 16  # octets of a table's head and of a phoneme in `phontab`
_LIKE = {
    "ɡ": "g", "g": "ɡ", "ɚ": "əɹ", "ɝ": "ɜː", "ɹ": "r", "r": "ɹ", "a": "æ", "ɑ": "ɑː", "ɔ": "ɔː", "i": "iː", "u": "uː",
    "e": "ɛ", "o": "ɔ", "ɐ": "ʌ", "ɜ": "ɜː", "ʁ": "r", "ɾ": "r", "y": "i", "ø": "ɜː", "œ": "ɛ", "ɲ": "nj", "ʎ": "lj",
    "x": "h", "χ": "x", "ç": "ʃ", "ʏ": "ɪ", "ɒ": "ɔ", "ɫ": "l", "ʍ": "w", "β": "v", "ɣ": "ɡ", "ħ": "h", "ɨ": "ɪ", "ʉ": "uː",
    "ɯ": "u", "ɤ": "ə", "ə": "ɐ", "ɪ": "i", "ʊ": "u", "ɛ": "e", "æ": "a", "ʌ": "ɐ", "θ": "s", "ð": "z", "ʃ": "s", "ʒ": "z",
    "ŋ": "n", "ɬ": "l", "ɥ": "w", "ɸ": "f", "ɕ": "ʃ", "ʑ": "ʒ", "ʂ": "ʃ", "ʐ": "ʒ", "q": "k", "ʔ": "", "ɦ": "h", "ɱ": "m",
    "ɳ": "n", "ɖ": "d", "ʈ": "t", "ɟ": "dʒ", "c": "tʃ", "ʋ": "v", "ɭ": "l", "ɽ": "r", "ʀ": "r", "ɞ": "ɜː", "ɘ": "ə",
    "ɵ": "ə", "ɶ": "a", "ʰ": "", "ʲ": "j", "ʷ": "w", "ː": "", "̃": "n", "̥": "", "̪": "",
}  # fmt: skip


def mnemonics(data: Path) -> list[str]:
    """Every phoneme's name in the library's file of phoneme tables, each once. Raises OSError."""
    octets = (data / "phontab").read_bytes()
    found: dict[str, None] = {}
    at = 4
    for _ in range(octets[0]):
        count = octets[at]
        at += _TABLE
        for index in range(count):
            (name,) = struct.unpack_from("<4s", octets, at + index * _PHONEME)
            text = name.rstrip(b"\0").decode("ascii", "replace")
            if text and text[0] not in "_%=',|" and "�" not in text and "]" not in text:
                found[text] = None
        at += count * _PHONEME
    return sorted(found, key=lambda text: (len(text), text))


def spelled(ipa: str, names: dict[str, str]) -> str:
    """`ipa` in the phoneme names of a voice, `names` by the IPA of each; what it has not, by what is near it."""
    written: list[str] = []
    longest = max(map(len, names), default=1)
    at = 0
    while at < len(ipa):
        if ipa[at] in STRESS:
            written.append(STRESS[ipa[at]])
            at += 1
            continue
        if ipa[at].isspace():
            written.append(" ")
            at += 1
            continue
        for length in range(min(longest, len(ipa) - at), 0, -1):
            name = names.get(ipa[at : at + length])
            if name is not None:
                written.append(name)
                at += length
                break
        else:
            written.append(_near(ipa[at], names))
            at += 1
    return "".join(written)


def _near(char: str, names: dict[str, str]) -> str:
    """The name of a phoneme like `char`; nothing for what is no sound."""
    near = char
    for _ in range(4):
        near = _LIKE.get(near[:1], "")
        if near in names:
            return names[near]
        if len(near) > 1 and near[0] in names:
            return "".join(names.get(each, "") for each in near)
    return ""
