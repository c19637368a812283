"""German."""

from __future__ import annotations

import re
from dataclasses import replace

from tts_core.reading import numbers
from tts_core.reading.kind import longest_first
from tts_core.reading.language import Currency, Instant, Language, Unit

_MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
_WEEKDAYS = {
    "mo": "Montag", "di": "Dienstag", "mi": "Mittwoch", "do": "Donnerstag", "fr": "Freitag", "sa": "Samstag", "so": "Sonntag",
}  # fmt: skip
_SHORT = {
    "jan": 1, "feb": 2, "mär": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "okt": 10, "nov": 11,
    "dez": 12, "jänner": 1, "feber": 2, "maerz": 3,
}  # fmt: skip


def of(tag: str) -> Language:
    """German, the same for all its countries but for the Swiss franc."""
    return _SWISS if tag in ("de-ch", "de-li") else _GERMAN


def _agreed(language: Language, number: int, un: str) -> str:
    words = language.cardinal(number)
    return words[:-4] + un if words.endswith("eins") else words  # hundertein Euro


def _year(language: Language, number: int) -> str:
    return numbers.year("de", number).replace(" ", "")


def _decade(language: Language, number: int) -> str:
    """90er, 1980er, and 2er, 4er."""
    return f"{language.said_year(number) if number > 999 else language.cardinal(number)}er"


_ENDINGS = {
    **dict.fromkeys(
        [
            "am",
            "vom",
            "zum",
            "dem",
            "den",
            "im",
            "seit",
            "ab",
            "bis",
            "beim",
            "des",
            "zur",
            "nach",
            "diesem",
            "jedem",
        ],
        "n",
    ),
    **dict.fromkeys(("der", "die", "das"), ""),
    **dict.fromkeys(("ein", "kein", "mein", "ihr", "sein"), "r"),
}


def _ordinal(language: Language, number: int, mark: str, before: str) -> str:
    return numbers.ordinal("de", number) + _ENDINGS.get(before, "")


def _bent(number: int, before: str) -> str:
    return numbers.ordinal("de", number) + _ENDINGS.get(before, "r")


_FEMININE = re.compile(
    r".*(?:ung|heit|keit|schaft|(?<!stad)ion|tät|e|ur|ik|frau|person|nachricht|nacht|stadt|tür|zahl|mail|antwort|fahrt|hand|bank)",
    re.IGNORECASE,
)
_NOT_FEMININE = re.compile(
    r".*(?:kunde|name|junge|kollege|käse|gedanke|buchstabe|ende|auge|interesse|gebäude|gemüse|experte|zeuge|neffe|löwe|getriebe|gespräche)",
    re.IGNORECASE,
)
_ADJECTIVE = re.compile(r"[^\W\d_]{2,}(?:e|er|es|en)")
_NO_ADJECTIVES = frozenset(
    [
        "oder",
        "aber",
        "über",
        "unter",
        "hier",
        "oben",
        "unten",
        "neben",
        "gegen",
        "wegen",
        "ohne",
        "sie",
        "wie",
        "eine",
        "alle",
        "heute",
        "bitte",
        "sondern",
    ]
)


def _article(before: str, word: str) -> str:
    if word[:1].isupper():
        return "eine" if _FEMININE.fullmatch(word) and not _NOT_FEMININE.fullmatch(word) else "ein"
    if _ADJECTIVE.fullmatch(word) and word not in _NO_ADJECTIVES:
        return "eine" if word.endswith("e") else "ein"
    return ""


def _date(language: Language, day: int, month: int, year: int | None, before: str) -> str:
    words = f"{_bent(day, before)} {_MONTHS[month - 1]}"
    return words if year is None else f"{words} {language.said_year(year)}"


def _clock(language: Language, time: Instant) -> str:
    hour = "ein" if time.hour == 1 else language.cardinal(time.hour)
    words = f"{hour} Uhr"
    if time.minute:
        words += f" {language.cardinal(time.minute)}"
    if time.second:
        words += f" und {language.counted(time.second, 'eine')} Sekunde{'' if time.second == 1 else 'n'}"
    return words


def _regnal(language: Language, number: int) -> str:
    return f"der {numbers.ordinal('de', number).capitalize()}"


_STARTERS = frozenset(
    ["alle", "als", "am", "auch", "auf", "aus", "bei", "bis", "bitte", "da", "danach", "danke", "dann", "das", "dem", "den", "der", "die", "dies", "dort", "diese", "dieser", "drücken", "ein", "eine", "er", "es", "falls", "für", "geben", "haben", "heute", "hier", "ich", "ihr", "ihre", "im", "in", "ist", "ja", "jetzt", "kann", "können", "man", "mit", "möchten", "nach", "nein", "oder", "rufen", "sagen", "sie", "sind", "so", "um", "und", "uns", "unser", "unsere", "vielen", "vom", "von", "wählen", "wann", "warten", "was", "welche", "wenn", "wer", "wie", "wir", "wo", "zu", "zum", "zur"]
)  # fmt: skip

_GERMAN = Language(
    tag="de",
    code="de",
    decimal=",",
    grouped=r"\d{1,3}(?:[. '’]\d{3}){1,4}",
    point="Komma",
    spell_decimals=True,
    minus="minus",
    plus="plus",
    to="bis",
    times="mal",
    over="durch",
    article=_article,
    agreed=_agreed,
    scales={
        "tausend": ("tausend", "tausend"), "million": ("Million", "Millionen"), "millionen": ("Million", "Millionen"),
        "mio": ("Million", "Millionen"), "mio.": ("Million", "Millionen"),
        "milliarde": ("Milliarde", "Milliarden"), "milliarden": ("Milliarde", "Milliarden"),
        "mrd": ("Milliarde", "Milliarden"), "mrd.": ("Milliarde", "Milliarden"),
    },
    one_scale="eine",
    fractions={
        (1, 2): "ein halb", (1, 3): "ein Drittel", (2, 3): "zwei Drittel", (1, 4): "ein Viertel",
        (3, 4): "drei Viertel", (1, 8): "ein Achtel", (24, 7): "vierundzwanzig sieben",
    },
    ordinals=rf"\.(?=[ ](?!(?:{longest_first(word.capitalize() for word in _STARTERS)})(?!\w))[^\W\d_])",
    ordinal=_ordinal,
    digit_words=frozenset(
        ["pin", "code", "passwort", "kontonummer", "konto", "kundennummer", "kennwort", "kennziffer", "durchwahl", "plz", "postleitzahl", "blz", "rechnungsnummer", "bestellnummer", "auftragsnummer", "vorgangsnummer", "ticketnummer", "kartennummer", "referenz", "aktenzeichen", "vertragsnummer", "tan"]
    ),
    year_words=frozenset(["jahr", "jahre", "jahres", "seit", "anno", "ab", "bis", "sommer", "winter", "frühjahr", "herbst", "ende", "anfang", "mitte"])
    | {month.lower() for month in _MONTHS},
    year=_year,
    decade=_decade,
    decades=r"\d{1,4}ern?",
    bare_years=True,
    oblique_words=frozenset(["am", "vom", "zum", "dem", "den", "seit", "ab", "bis"]),
    months={**{month.lower(): index for index, month in enumerate(_MONTHS, 1)}, **_SHORT},
    dotted_dates=True,
    date=_date,
    day=lambda language, day, before, mark: _bent(day, before),
    weekdays=_WEEKDAYS,
    endings={"str.": "straße", "Str.": "Straße", "nr.": "nummer"},
    clock_words=frozenset(("um", "von", "bis", "ab", "gegen")),
    key_words=frozenset(["taste", "drücken", "wählen", "oder", "die", "dann"]),
    titles=frozenset(["dr.", "prof.", "hr.", "fr.", "frl.", "st.", "dipl.-ing."]),
    starters=_STARTERS,
    nouns_capital=True,
    determiners=frozenset(["der", "die", "das", "ein", "eine", "im", "am"]),
    month_name=lambda language, month: _MONTHS[month - 1],
    clock=_clock,
    hour_words="Uhr",
    clock_marks=":.",
    currencies={
        "€": Currency("Euro", "Euro", "Cent", "Cent", "ein", "ein"),
        "EUR": Currency("Euro", "Euro", "Cent", "Cent", "ein", "ein"),
        "Euro": Currency("Euro", "Euro", "Cent", "Cent", "ein", "ein"),
        "$": Currency("Dollar", "Dollar", "Cent", "Cent", "ein", "ein"),
        "USD": Currency("U S Dollar", "U S Dollar", "Cent", "Cent", "ein", "ein"),
        "£": Currency("Pfund", "Pfund", "Penny", "Pence", "ein", "ein"),
        "GBP": Currency("Pfund", "Pfund", "Penny", "Pence", "ein", "ein"),
        "CHF": Currency("Franken", "Franken", "Rappen", "Rappen", "ein", "ein"),
        "¥": Currency("Yen", "Yen", un="ein"),
    },
    cent_joint=" und ",
    units={
        "km/h": Unit("Kilometer pro Stunde", "Kilometer pro Stunde", "ein"), "km": Unit("Kilometer", "Kilometer", "ein"),
        "m": Unit("Meter", "Meter", "ein"), "cm": Unit("Zentimeter", "Zentimeter", "ein"),
        "mm": Unit("Millimeter", "Millimeter", "ein"), "kg": Unit("Kilogramm", "Kilogramm", "ein"),
        "g": Unit("Gramm", "Gramm", "ein"), "mg": Unit("Milligramm", "Milligramm", "ein"),
        "t": Unit("Tonne", "Tonnen", "eine"), "l": Unit("Liter", "Liter", "ein"), "ml": Unit("Milliliter", "Milliliter", "ein"),
        "°C": Unit("Grad Celsius", "Grad Celsius", "ein"), "°": Unit("Grad", "Grad", "ein"),
        "h": Unit("Stunde", "Stunden", "eine"), "Std.": Unit("Stunde", "Stunden", "eine"),
        "min": Unit("Minute", "Minuten", "eine"), "Min.": Unit("Minute", "Minuten", "eine"),
        "Sek.": Unit("Sekunde", "Sekunden", "eine"), "s": Unit("Sekunde", "Sekunden", "eine"),
        "MB": Unit("Megabyte", "Megabyte", "ein"), "GB": Unit("Gigabyte", "Gigabyte", "ein"),
        "TB": Unit("Terabyte", "Terabyte", "ein"), "Hz": Unit("Hertz", "Hertz", "ein"),
        "kW": Unit("Kilowatt", "Kilowatt", "ein"), "kWh": Unit("Kilowattstunde", "Kilowattstunden", "eine"),
        "W": Unit("Watt", "Watt", "ein"), "V": Unit("Volt", "Volt", "ein"), "m²": Unit("Quadratmeter", "Quadratmeter", "ein"),
        "m³": Unit("Kubikmeter", "Kubikmeter", "ein"), "m3": Unit("Kubikmeter", "Kubikmeter", "ein"), "ct": Unit("Cent", "Cent", "ein"),
        "ha": Unit("Hektar", "Hektar", "ein"), "qm": Unit("Quadratmeter", "Quadratmeter", "ein"), "dB": Unit("Dezibel", "Dezibel", "ein"),
    },
    per="pro",
    periods={"Std": "Stunde", "Monat": "Monat", "Jahr": "Jahr", "Woche": "Woche", "Tag": "Tag", "Stunde": "Stunde", "Minute": "Minute", "Nacht": "Nacht", "Person": "Person"},
    percent="Prozent",
    one_percent="ein",
    telephone=(
        r"0\d{2,5}[ ]?[/-][ ]?\d{2,8}(?:(?:[ -]|[ ]-[ ])\d{1,6}){0,3}|\(0\d{2,5}\)[ ]?\d{2,8}(?:[ -]\d{1,6}){0,3}"
        r"|0\d{2,5}(?:[ ]\d{2,8}){1,4}|116[ ]\d{3}"
    ),
    emergency=frozenset(("110", "112", "116117", "115")),
    postcode=r"\d[a-z]?,[ ]|\b(?:D|DE)-",
    shortened={
        "z. b.": "zum Beispiel", "z.b.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem", "u.a.": "unter anderem", "usw.": "und so weiter", "bzw.": "beziehungsweise",
        "ca.": "circa", "inkl.": "inklusive", "exkl.": "exklusive", "evtl.": "eventuell", "ggf.": "gegebenenfalls",
        "vgl.": "vergleiche", "dr.": "Doktor", "prof.": "Professor", "hr.": "Herr", "fr.": "Frau", "frl.": "Fräulein",
        "str.": "Straße", "tel.": "Telefon", "abs.": "Absatz", "art.": "Artikel", "bd.": "Band", "jh.": "Jahrhundert",
        "mio.": "Millionen", "mrd.": "Milliarden", "st.": "Sankt", "sog.": "sogenannte", "max.": "maximal",
        "min.": "mindestens", "geb.": "geboren", "gest.": "gestorben", "dipl.-ing.": "Diplomingenieur", "zzgl.": "zuzüglich",
        "mwst.": "Mehrwertsteuer", "mwst": "Mehrwertsteuer", "etc.": "et cetera", "v. chr.": "vor Christus", "n. chr.": "nach Christus", "u. u.": "unter Umständen",
        "i. d. r.": "in der Regel", "i.d.r.": "in der Regel", "v. a.": "vor allem", "v.a.": "vor allem", "o. ä.": "oder ähnliches",
        "mo.": "Montag", "di.": "Dienstag", "mi.": "Mittwoch", "jan.": "Januar", "feb.": "Februar",
        "aug.": "August", "sept.": "September", "okt.": "Oktober", "nov.": "November", "dez.": "Dezember",
    },
    before_number={
        **{f"{short}.": day for short, day in _WEEKDAYS.items()},
        "nr.": "Nummer", "s.": "Seite", "kap.": "Kapitel", "abb.": "Abbildung", "hausnr.": "Hausnummer"},
    acronyms=frozenset(
        ["USA", "EU", "UNO", "BRD", "DDR", "ADAC", "ARD", "ZDF", "AOK", "AG", "IBAN", "BIC", "PDF", "URL", "SMS", "CEO", "USB", "EDV", "TÜV", "GEZ", "IT", "EC", "ICE", "UKW", "LKW", "PKW", "KFZ", "VW", "BMW", "AGB", "PLZ", "ID", "IP", "IVR", "SIP", "VPN", "HTML", "HTTP"]
    ) - {"IBAN", "SIP", "TÜV", "BIC"},
    words=frozenset(["PIN", "TAN", "SIM", "NATO", "NASA", "OK", "IBAN", "BIC", "TÜV", "BAföG", "AIDS", "ZIP", "UNO", "DAX", "BAMF"]),
    vowels="aeiouyäöü",
    regnal=_regnal,
    regnal_names=frozenset(
        ["heinrich", "ludwig", "karl", "friedrich", "wilhelm", "otto", "benedikt", "johannes", "paul", "pius", "elisabeth", "katharina", "georg", "leopold", "franz", "maximilian", "albrecht", "ludwig", "napoleon", "philipp", "peter", "nikolaus", "alexander", "leo"]
    ),
    counted_names=frozenset(["kapitel", "teil", "band", "akt", "typ", "stufe", "klasse", "weltkrieg", "anhang", "tabelle", "phase", "hartz", "artikel"]),
    letters={"ß": "Eszett"},
    names={
        "and": "und", "#": "Nummer", "=": "gleich", "@": "at", ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich",
        "_": "Unterstrich", ":": "Doppelpunkt", "?": "Fragezeichen", "&": "und", "%": "Prozent", "+": "plus",
        "key #": "Raute", "key *": "Stern", "~": "Tilde", "§": "Paragraph", "°": "Grad",
    },
)  # fmt: skip
_SWISS = replace(
    _GERMAN,
    tag="de-ch",
    currencies={**_GERMAN.currencies, "Fr.": _GERMAN.currencies["CHF"]},
    before_number={sign: words for sign, words in _GERMAN.before_number.items() if sign != "fr."},
)
