"""X-SAMPA to IPA, symbol by symbol. https://en.wikipedia.org/wiki/X-SAMPA"""

from __future__ import annotations

import re

_SYMBOLS = {
    "b_<": "ɓ", "d`": "ɖ", "d_<": "ɗ", "g_<": "ɠ", "h\\": "ɦ", "j\\": "ʝ", "l`": "ɭ", "l\\": "ɺ", "n`": "ɳ", "p\\": "ɸ",
    "r`": "ɽ", "r\\": "ɹ", "r\\`": "ɻ", "s`": "ʂ", "s\\": "ɕ", "t`": "ʈ", "v\\": "ʋ", "x\\": "ɧ", "z`": "ʐ", "z\\": "ʑ",
    "A": "ɑ", "B": "β", "B\\": "ʙ", "C": "ç", "D": "ð", "E": "ɛ", "F": "ɱ", "G": "ɣ", "G\\": "ɢ", "H": "ɥ", "H\\": "ʜ",
    "I": "ɪ", "J": "ɲ", "J\\": "ɟ", "K": "ɬ", "K\\": "ɮ", "L": "ʎ", "L\\": "ʟ", "M": "ɯ", "M\\": "ɰ", "N": "ŋ", "N\\": "ɴ",
    "O": "ɔ", "P": "ʋ", "Q": "ɒ", "R": "ʁ", "R\\": "ʀ", "S": "ʃ", "T": "θ", "U": "ʊ", "V": "ʌ", "W": "ʍ", "X": "χ",
    "X\\": "ħ", "Y": "ʏ", "Z": "ʒ", '"': "ˈ", "%": "ˌ", "@": "ə", "@\\": "ɘ", "@`": "ɚ", "{": "æ", "}": "ʉ", "1": "ɨ",
    "2": "ø", "3": "ɜ", "3`": "ɝ", "3\\": "ɞ", "4": "ɾ", "5": "ɫ", "6": "ɐ", "7": "ɤ", "8": "ɵ", "9": "œ", "&": "ɶ",
    "?": "ʔ", "?\\": "ʕ", ":": "ː", ":\\": "ˑ", ".": ".", "_h": "ʰ", "_j": "ʲ", "_w": "ʷ", "_~": "̃", "~": "̃", "_=": "̩",
    "=": "̩", "_0": "̥", "_d": "̪", "_G": "ˠ", "-": "",
}  # fmt: skip
_SYMBOL = re.compile("|".join(re.escape(each) for each in sorted(_SYMBOLS, key=len, reverse=True)))


def ipa(xsampa: str) -> str:
    """`xsampa` in the International Phonetic Alphabet; what is the same in both stays."""
    return _SYMBOL.sub(lambda match: _SYMBOLS[match[0]], xsampa)
