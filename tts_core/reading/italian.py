"""Italian."""

from __future__ import annotations

import re

from tts_core.reading import numbers
from tts_core.reading.language import Currency, Instant, Language, Unit

_MONTHS = [
    "gennaio",
    "febbraio",
    "marzo",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "agosto",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
]
_SHORT = {"gen": 1, "feb": 2, "mar": 3, "apr": 4, "mag": 5, "giu": 6, "lug": 7, "ago": 8, "set": 9, "sett": 9, "ott": 10,
          "nov": 11, "dic": 12}  # fmt: skip


def of(tag: str) -> Language:
    """Italian, the same for all its countries."""
    return _ITALIAN


def _ordinal(language: Language, number: int, mark: str, before: str) -> str:
    words = numbers.ordinal("it", number)
    return words[:-1] + "a" if mark.endswith(("ª", "a")) else words


def _day(language: Language, day: int, before: str, mark: str) -> str:
    return "primo" if day == 1 else language.cardinal(day)


def _date(language: Language, day: int, month: int, year: int | None, before: str) -> str:
    words = f"{_day(language, day, before, '')} {_MONTHS[month - 1]}"
    return words if year is None else f"{words} {language.said_year(year)}"


_NO_NOUNS = frozenset(
    ["per", "o", "e", "ed", "a", "da", "poi", "se", "di", "in", "su", "con", "adesso", "alla", "della"]
)


_KEYS = frozenset(("premi", "prema", "premere", "tasto", "digiti", "digita", "il"))
_MASCULINE = frozenset(("problema", "sistema", "programma", "tema", "clima", "schema", "giornalista"))
_FEMININE = re.compile(r".*(?:a|zione|sione|tà|tù|trice)|notte|chiave|classe|mano|parte|e-?mail")
_UNO = re.compile(r"z|s[^aeiou]|ps|gn|x|y|pn")


def _article(before: str, word: str) -> str:
    if not word or word in _NO_NOUNS or (word == "ora" and before in _KEYS):
        return ""
    if _FEMININE.fullmatch(word) and word not in _MASCULINE:
        return "un'" if word[0] in "aeiou" else "una"
    return "uno" if _UNO.match(word) else "un"


def _clock(language: Language, time: Instant) -> str:
    words = "una" if time.hour == 1 else language.cardinal(time.hour)
    if time.minute:
        words += f" e {language.cardinal(time.minute)}"
    elif time.marked:
        words += " ore"
    if time.second:
        words += f" e {language.counted(time.second, 'un')} second{'o' if time.second == 1 else 'i'}"
    return words


_ITALIAN = Language(
    tag="it",
    code="it",
    decimal=",",
    grouped=r"\d{1,3}(?:[. '’]\d{3}){1,4}",
    point="virgola",
    minus="meno",
    plus="più",
    to="a",
    times="per",
    over="su",
    scales={
        "mila": ("mila", "mila"), "milione": ("milione", "milioni"), "milioni": ("milione", "milioni"),
        "mln": ("milione", "milioni"), "miliardo": ("miliardo", "miliardi"), "miliardi": ("miliardo", "miliardi"),
        "mld": ("miliardo", "miliardi"),
    },
    of_many=lambda many: " di ",
    one_scale="un",
    fractions={
        (1, 2): "un mezzo", (1, 3): "un terzo", (2, 3): "due terzi", (1, 4): "un quarto", (3, 4): "tre quarti",
        (1, 8): "un ottavo", (24, 7): "ventiquattro su sette",
    },
    ordinals="[º°ª]",
    ordinal=_ordinal,
    digit_words=frozenset(
        ["pin", "codice", "password", "conto", "interno", "riferimento", "ordine", "fattura", "carta", "cliente", "pratica", "cap", "utente", "contratto"]
    ),
    year_words=frozenset(["nel", "dal", "del", "anno", "anni", "fino", "estate", "inverno", "primavera", "autunno"]) | frozenset(_MONTHS),
    oblique_words=frozenset(("il", "del", "al", "dal", "giorno", "entro")),
    months={**{month: index for index, month in enumerate(_MONTHS, 1)}, **_SHORT},
    date=_date,
    day=_day,
    month_name=lambda language, month: _MONTHS[month - 1],
    weekdays={
        "lun": "lunedì", "mar": "martedì", "mer": "mercoledì", "gio": "giovedì", "ven": "venerdì",
        "sab": "sabato", "dom": "domenica",
    },
    clock=_clock,
    clock_marks=":.",
    clock_words=frozenset(["alle", "dalle", "ore", "all", "fino"]),
    article=_article,
    key_words=frozenset(["tasto", "premi", "prema", "premere", "digiti", "o", "il"]),
    titles=frozenset(["sig.", "sigg.", "dott.", "dr.", "prof.", "avv.", "ing.", "rag.", "geom.", "v.le", "c.so"]),
    determiners=frozenset(["il", "la", "i", "le", "un", "una", "lo", "gli"]),
    hour_words="ore",
    currencies={
        "€": Currency("euro", "euro", "centesimo", "centesimi", "un", "un"),
        "EUR": Currency("euro", "euro", "centesimo", "centesimi", "un", "un"),
        "euro": Currency("euro", "euro", "centesimo", "centesimi", "un", "un"),
        "$": Currency("dollaro", "dollari", "centesimo", "centesimi", "un", "un"),
        "USD": Currency("dollaro", "dollari", "centesimo", "centesimi", "un", "un"),
        "£": Currency("sterlina", "sterline", "penny", "pence", "una", "un"),
        "GBP": Currency("sterlina", "sterline", "penny", "pence", "una", "un"),
        "CHF": Currency("franco svizzero", "franchi svizzeri", "centesimo", "centesimi", "un", "un"),
    },
    cent_joint=" e ",
    units={
        "km/h": Unit("chilometro orario", "chilometri orari", "un"), "km": Unit("chilometro", "chilometri", "un"),
        "m": Unit("metro", "metri", "un"), "cm": Unit("centimetro", "centimetri", "un"),
        "mm": Unit("millimetro", "millimetri", "un"), "kg": Unit("chilo", "chili", "un"), "g": Unit("grammo", "grammi", "un"),
        "mg": Unit("milligrammo", "milligrammi", "un"), "l": Unit("litro", "litri", "un"), "L": Unit("litro", "litri", "un"),
        "ml": Unit("millilitro", "millilitri", "un"), "°C": Unit("grado", "gradi", "un"), "°": Unit("grado", "gradi", "un"),
        "h": Unit("ora", "ore", "un'"), "min": Unit("minuto", "minuti", "un"), "s": Unit("secondo", "secondi", "un"),
        "MB": Unit("megabyte", "megabyte", "un"), "GB": Unit("gigabyte", "gigabyte", "un"), "Hz": Unit("hertz", "hertz", "un"),
        "W": Unit("watt", "watt", "un"), "kW": Unit("chilowatt", "chilowatt", "un"),
        "kWh": Unit("chilowattora", "chilowattora", "un"), "V": Unit("volt", "volt", "un"),
        "m²": Unit("metro quadrato", "metri quadrati", "un"), "m³": Unit("metro cubo", "metri cubi", "un"), "m3": Unit("metro cubo", "metri cubi", "un"), "ha": Unit("ettaro", "ettari", "un"),
        "mq": Unit("metro quadrato", "metri quadrati", "un"),
    },
    per="per",
    periods={"mese": "mese", "anno": "anno", "settimana": "settimana", "giorno": "giorno", "ora": "ora", "minuto": "minuto", "notte": "notte", "persona": "persona"},
    percent="per cento",
    telephone=r"0\d{1,3}[ ./-]\d{2,8}(?:[ ]\d{2,4}){0,2}|3\d{2}[ ./-]\d{3}[ ]?\d{3,4}|(?:800|199|84\d|89\d)[ ]\d{3}[ ]\d{3}",
    emergency=frozenset(("112", "113", "115", "117", "118", "1522")),
    shortened={
        "sig.": "signor", "sig.ra": "signora", "sig.na": "signorina", "sigg.": "signori", "dott.": "dottor",
        "dott.ssa": "dottoressa", "dr.": "dottor", "prof.": "professor", "prof.ssa": "professoressa", "avv.": "avvocato",
        "ing.": "ingegner", "ecc.": "eccetera", "a.c.": "avanti Cristo", "d.c.": "dopo Cristo", "p.za": "piazza", "p. es.": "per esempio", "p.es.": "per esempio", "es.": "esempio",
        "tel.": "telefono", "cell.": "cellulare", "p.zza": "piazza", "v.le": "viale", "c.so": "corso", "max.": "massimo",
        "min.": "minimo", "ca.": "circa", "s.p.a.": "S P A", "s.r.l.": "S R L", "rag.": "ragionier", "geom.": "geometra",
        "gen.": "gennaio", "feb.": "febbraio", "lug.": "luglio", "ago.": "agosto", "sett.": "settembre",
        "ott.": "ottobre", "nov.": "novembre", "dic.": "dicembre", "c.a.": "corrente anno", "vs.": "versus",
    },
    before_number={
        "n.": "numero", "n°": "numero", "nr.": "numero", "nn.": "numeri", "pag.": "pagina", "pagg.": "pagine",
        "cap.": "capitolo", "art.": "articolo", "vol.": "volume", "fig.": "figura", "int.": "interno",
    },
    acronyms=frozenset(["UE", "USA", "IVA", "PDF", "URL", "SMS", "TV", "ID", "IP", "CV", "ADSL", "RAI", "IBM", "INPS", "GPS", "IT", "SPA", "SRL", "ATM", "IA"])
    - {"IVA", "RAI", "INPS"},
    words=frozenset(["PIN", "SIM", "NATO", "NASA", "ONU", "OK", "AIDS", "IBAN", "IVA", "RAI", "INPS", "FIAT", "UNESCO", "CAP", "SPID", "ISEE", "CAF"]),
    vowels="aeiouàèéìòù",
    regnal=lambda language, number: numbers.ordinal("it", number),
    regnal_names=frozenset(
        ["luigi", "enrico", "carlo", "giorgio", "giovanni", "paolo", "pio", "benedetto", "elisabetta", "vittorio", "umberto", "napoleone", "filippo", "federico", "caterina", "pietro", "nicola", "alessandro", "gregorio", "clemente", "leone", "emanuele", "bonifacio", "innocenzo", "urbano"]
    ),
    counted_names=frozenset(["tipo", "fase", "livello", "volume", "parte"]),
    century=lambda language, number: numbers.ordinal("it", number),
    century_words=frozenset(("secolo", "capitolo", "articolo", "titolo", "atto")),
    letters={},
    names={
        "and": "e", "#": "numero", "=": "uguale", "@": "chiocciola", ".": "punto", "/": "barra", "-": "trattino",
        "_": "trattino basso", ":": "due punti", "?": "punto interrogativo", "&": "e", "%": "per cento", "+": "più",
        "key #": "cancelletto", "key *": "asterisco", "~": "tilde", "°": "gradi", "§": "paragrafo", "century": "secolo",
    },
)  # fmt: skip
