"""French: septante and nonante in Belgium and Switzerland, and huitante in Switzerland."""

from __future__ import annotations

import re
from dataclasses import replace

from tts_core.reading import numbers
from tts_core.reading.language import Currency, Instant, Language, Unit

_MONTHS = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
_SHORT = {"janv": 1, "févr": 2, "fév": 2, "avr": 4, "juil": 7, "sept": 9, "oct": 10, "nov": 11, "déc": 12, "fevrier": 2,
          "aout": 8, "decembre": 12}  # fmt: skip


def of(tag: str) -> Language:
    """French as `tag` has it."""
    return {"fr-be": _BELGIAN, "fr-ch": _SWISS}.get(tag, _FRENCH)


def _ordinal(language: Language, number: int, mark: str, before: str = "") -> str:
    if number == 1:
        return "première" if mark in ("re", "ère", "ere") else "premier"
    return numbers.ordinal(language.code, number)


def _day(language: Language, day: int, before: str, mark: str) -> str:
    return "premier" if day == 1 else language.cardinal(day)


def _date(language: Language, day: int, month: int, year: int | None, before: str) -> str:
    words = f"{_day(language, day, before, '')} {_MONTHS[month - 1]}"
    return words if year is None else f"{words} {language.said_year(year)}"


def _feminine(words: str) -> str:
    return words + "e" if words == "un" or words.endswith((" un", "-un")) else words


_MASCULINE = re.compile(r"musée|lycée|trophée|silence|stade|été")
_FEMININES = re.compile(
    r"(?:.*(?:[ts]ion|xion|ance|ence|ette|ée|[iv]té|ture|ière|aine|aison|elle|euse|esse)|page|minute|seconde|heure|personne"
    r"|année|fois|nuit|place|chambre|voiture|carte|ligne|tonne|lettre|commande|demande|réponse|touche|pièce|table|ville"
    r"|rue|route|porte|femme|fille|partie|copie|tasse|part|clé|boîte|étape|offre|erreur|couleur|image|autre|petite|grande"
    r"|seule|bonne|livre)s?"
)


def _article(before: str, word: str) -> str:
    return "une" if _FEMININES.fullmatch(word) and not _MASCULINE.match(word) else "un"


def _agreed(language: Language, number: int, un: str) -> str:
    words = language.cardinal(number)
    return _feminine(words) if un == "une" else words


def _clock(language: Language, time: Instant) -> str:
    words = f"{_feminine(language.cardinal(time.hour))} heure{'' if time.hour in (0, 1) else 's'}"
    if time.minute:
        words += f" {_feminine(language.cardinal(time.minute))}"
    if time.second:
        words += f" et {_feminine(language.cardinal(time.second))} seconde{'' if time.second == 1 else 's'}"
    return words


def _regnal(language: Language, number: int) -> str:
    return "premier" if number == 1 else language.cardinal(number)


_FRENCH = Language(
    tag="fr",
    code="fr",
    decimal=",",
    grouped=r"\d{1,3}(?:[. '’]\d{3}){1,4}",
    point="virgule",
    minus="moins",
    plus="plus",
    to="à",
    times="par",
    over="sur",
    scales={
        "mille": ("mille", "mille"), "million": ("million", "millions"), "millions": ("million", "millions"),
        "milliard": ("milliard", "milliards"), "milliards": ("milliard", "milliards"), "md": ("milliard", "milliards"),
        "mds": ("milliard", "milliards"), "k": ("mille", "mille"), "m": ("million", "millions"),
    },
    of_many=lambda many: " d'" if many[0] in "aeiou" else " de ",
    one_scale="un",
    fractions={
        (1, 2): "un demi", (1, 3): "un tiers", (2, 3): "deux tiers", (1, 4): "un quart", (3, 4): "trois quarts",
        (1, 8): "un huitième", (24, 7): "vingt-quatre sur sept",
    },
    ordinals="er|re|ère|ere|ème|eme|e|es|nd|nde",
    ordinal=_ordinal,
    digit_words=frozenset(
        ["pin", "code", "passe", "compte", "poste", "référence", "dossier", "commande", "facture", "client", "carte", "abonné", "identifiant", "série"]
    ),
    year_words=frozenset(["en", "depuis", "année", "année", "an", "avant", "après", "jusqu", "début", "fin", "été", "hiver", "printemps", "automne"])
    | frozenset(_MONTHS),
    oblique_words=frozenset(("le", "du", "au")),
    months={**{month: index for index, month in enumerate(_MONTHS, 1)}, **_SHORT},
    date=_date,
    day=_day,
    month_name=lambda language, month: _MONTHS[month - 1],
    weekdays={
        "lun": "lundi", "mar": "mardi", "mer": "mercredi", "jeu": "jeudi", "ven": "vendredi",
        "sam": "samedi", "dim": "dimanche",
    },
    clock=_clock,
    clock_marks=":h",
    article=_article,
    agreed=_agreed,
    key_words=frozenset(["touche", "appuyez", "composez", "tapez", "ou", "la", "sur"]),
    titles=frozenset(["m.", "mm.", "mme.", "dr.", "bd.", "av.", "ste."]),
    determiners=frozenset(["le", "la", "les", "un", "une"]),
    hour_words="heures?",
    currencies={
        "€": Currency("euro", "euros", "centime", "centimes", "un", "un"),
        "EUR": Currency("euro", "euros", "centime", "centimes", "un", "un"),
        "euros": Currency("euro", "euros", "centime", "centimes", "un", "un"),
        "$": Currency("dollar", "dollars", "cent", "cents", "un", "un"),
        "USD": Currency("dollar américain", "dollars américains", "cent", "cents", "un", "un"),
        "£": Currency("livre", "livres", "penny", "pence", "une", "un"),
        "GBP": Currency("livre", "livres", "penny", "pence", "une", "un"),
        "CHF": Currency("franc suisse", "francs suisses", "centime", "centimes", "un", "un"),
    },
    cent_joint=" et ",
    units={
        "km/h": Unit("kilomètre heure", "kilomètres heure", "un"), "km": Unit("kilomètre", "kilomètres", "un"),
        "m": Unit("mètre", "mètres", "un"), "cm": Unit("centimètre", "centimètres", "un"),
        "mm": Unit("millimètre", "millimètres", "un"), "kg": Unit("kilo", "kilos", "un"),
        "g": Unit("gramme", "grammes", "un"), "mg": Unit("milligramme", "milligrammes", "un"),
        "l": Unit("litre", "litres", "un"), "L": Unit("litre", "litres", "un"), "cl": Unit("centilitre", "centilitres", "un"),
        "ml": Unit("millilitre", "millilitres", "un"), "°C": Unit("degré Celsius", "degrés Celsius", "un"),
        "°": Unit("degré", "degrés", "un"), "min": Unit("minute", "minutes", "une"), "s": Unit("seconde", "secondes", "une"),
        "Mo": Unit("mégaoctet", "mégaoctets", "un"), "Go": Unit("gigaoctet", "gigaoctets", "un"),
        "To": Unit("téraoctet", "téraoctets", "un"), "Hz": Unit("hertz", "hertz", "un"), "W": Unit("watt", "watts", "un"),
        "kW": Unit("kilowatt", "kilowatts", "un"), "kWh": Unit("kilowattheure", "kilowattheures", "un"),
        "V": Unit("volt", "volts", "un"), "m²": Unit("mètre carré", "mètres carrés", "un"), "m³": Unit("mètre cube", "mètres cubes", "un"),
        "m3": Unit("mètre cube", "mètres cubes", "un"), "ha": Unit("hectare", "hectares", "un"),
    },
    per="par",
    periods={"mois": "mois", "an": "an", "semaine": "semaine", "jour": "jour", "heure": "heure", "minute": "minute", "nuit": "nuit", "personne": "personne"},
    percent="pour cent",
    telephone=r"0\d(?:[ .-]?\d{2}){4}|0[ ]?\d{3}[ ]\d{3}[ ]\d{3}|00\d{2}[ ]\d(?:[ .-]?\d{2}){4}|0\d{2}[ ]\d{3}[ ]\d{2}[ ]\d{2}",
    pairs=True,
    emergency=frozenset(("112", "115", "118", "119", "3919")),
    shortened={
        "m.": "monsieur", "mm.": "messieurs", "mme": "madame", "mme.": "madame", "mmes": "mesdames", "mlle": "mademoiselle",
        "dr": "docteur", "dr.": "docteur", "pr": "professeur", "me": "maître", "etc.": "et cetera", "p. ex.": "par exemple",
        "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "av. j.-c.": "avant Jésus-Christ", "apr. j.-c.": "après Jésus-Christ", "av.": "avenue", "bd": "boulevard", "bd.": "boulevard",
        "tél.": "téléphone", "env.": "environ", "st": "saint", "ste": "sainte", "cf.": "confer", "apr.": "après",
        "janv.": "janvier", "févr.": "février", "juil.": "juillet", "sept.": "septembre", "oct.": "octobre",
        "nov.": "novembre", "déc.": "décembre", "ste.": "sainte", "rdv": "rendez-vous", "svp": "s'il vous plaît",
        "s.v.p.": "s'il vous plaît", "vs": "versus", "ier": "premier", "max.": "maximum", "min.": "minimum", "n°": "numéro",
    },
    before_number={
        "n°": "numéro", "no": "numéro", "no.": "numéro", "p.": "page", "pp.": "pages", "chap.": "chapitre", "fig.": "figure",
        "vol.": "volume", "art.": "article", "appt": "appartement", "apt": "appartement",
    },
    acronyms=frozenset(["UE", "USA", "ONU", "SNCF", "RATP", "EDF", "TGV", "PDF", "URL", "SMS", "TVA", "PME", "PDG", "CB", "RIB", "IBM", "BNP", "HLM", "CV", "ID", "IP", "RTT", "SMIC", "VTT", "IA", "IT"])
    - {"ONU", "SMIC", "RIB"},
    words=frozenset(["PIN", "SIM", "OTAN", "NASA", "ONU", "SMIC", "RIB", "OK", "SIDA", "IBAN", "ZUP", "UNESCO", "ZIP", "CAF"]),
    vowels="aeiouyàâéèêëîïôùûü",
    regnal=_regnal,
    regnal_names=frozenset(
        ["louis", "henri", "charles", "françois", "napoléon", "philippe", "jean", "paul", "pie", "benoît", "édouard", "george", "élisabeth", "catherine", "frédéric", "guillaume", "nicolas", "alexandre", "albert", "léopold", "baudouin", "jacques", "léon", "clément", "grégoire"]
    ),
    counted_names=frozenset(["chapitre", "partie", "tome", "acte", "type", "phase", "volume", "annexe", "niveau", "mondiale", "titre", "livre", "article"]),
    century=lambda language, number: _ordinal(language, number, "e"),
    letters={"Y": "i grec", "W": "double v"},
    names={
        "and": "et", "#": "numéro", "=": "égale", "@": "arobase", ".": "point", "/": "barre oblique", "-": "tiret",
        "_": "tiret bas", ":": "deux points", "?": "point d'interrogation", "&": "et", "%": "pour cent", "+": "plus",
        "key #": "dièse", "key *": "étoile", "~": "tilde", "°": "degrés", "§": "paragraphe", "century": "siècles?",
    },
)  # fmt: skip
_BELGIAN = replace(_FRENCH, tag="fr-be", code="fr_BE")
_SWISS = replace(_FRENCH, tag="fr-ch", code="fr_CH")
