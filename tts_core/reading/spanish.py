"""Spanish: with a decimal comma in Spain and most of South America, with a point in Mexico and around it."""

from __future__ import annotations

import re
from dataclasses import replace

from tts_core.reading import numbers
from tts_core.reading.language import Currency, Instant, Language, Unit

_MONTHS = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]
_SHORT = {"ene": 1, "feb": 2, "mar": 3, "abr": 4, "jun": 6, "jul": 7, "ago": 8, "sept": 9, "sep": 9, "oct": 10, "nov": 11,
          "dic": 12, "setiembre": 9}  # fmt: skip


def of(tag: str) -> Language:
    """Spanish as `tag` has it: with a decimal comma where CLDR has one, else with a point."""
    if tag.rpartition("-")[2] in _COMMA:
        return _SPANISH
    return replace(_MEXICAN if tag == "es-mx" else _POINTED, tag=tag)


def _agreed(language: Language, number: int, un: str) -> str:
    words = language.cardinal(number)
    if un == "una":
        # of thousands, which are counted, too; of millions, which are men's, not
        head, million, tail = words.rpartition("illones ")
        tail = re.sub(r"cientos\b", "cientas", tail).replace("quinientos", "quinientas")
        return head + million + (tail[:-1] + "a" if tail.endswith("uno") else tail)
    if words.endswith("veintiuno"):
        return words[:-9] + "veintiún"
    return words[:-1] if words.endswith("uno") else words


def _ordinal(language: Language, number: int, mark: str, before: str) -> str:
    words = numbers.ordinal("es", number)
    if mark.endswith(("ª", "a")):
        return " ".join(word[:-1] + "a" for word in words.split())
    return words[:-1] if mark.endswith("er") and words.endswith("ero") else words


def _day(language: Language, day: int, before: str, mark: str) -> str:
    return "primero" if day == 1 else language.cardinal(day)


def _date(language: Language, day: int, month: int, year: int | None, before: str) -> str:
    words = f"{_day(language, day, before, '')} de {_MONTHS[month - 1]}"
    return words if year is None else f"{words} de {language.said_year(year)}"


_NO_NOUNS = frozenset(
    [
        "para",
        "a",
        "la",
        "una",
        "hasta",
        "ahora",
        "cada",
        "o",
        "y",
        "u",
        "e",
        "si",
        "nada",
        "otra",
        "contra",
        "ya",
        "era",
        "de",
        "del",
        "al",
        "en",
        "con",
        "por",
        "sin",
        "que",
        "es",
        "son",
        "no",
        "más",
        "menos",
        "como",
        "desde",
        "entre",
    ]
)
_MASCULINE = re.compile(r"(?:d[ií]a|.*(?:lema|rama|tema)|tema|mapa|idioma|planeta|clima|poema)s?")
_FEMININE = re.compile(
    r".*(?:as?|i[óo]n(?:es)?|dad(?:es)?|tud(?:es)?)|mano|manos|noches?|vez|veces|clases?|llaves?|calles?|partes?|tardes?"
)


def _article(before: str, word: str) -> str:
    if not word or word in _NO_NOUNS or not word[0].isalpha():
        return ""
    return "una" if _FEMININE.fullmatch(word) and not _MASCULINE.fullmatch(word) else "un"


def _feminine(words: str) -> str:
    return words[:-1] + "a" if words.endswith("uno") else words


def _clock(language: Language, time: Instant) -> str:
    words = _feminine(language.cardinal(time.hour))
    if time.minute:
        words += f" y {language.cardinal(time.minute)}"
    elif time.marked or (time.hour > 12 and not time.half):
        words += " horas" if time.hour != 1 else " hora"
    if time.second:
        words += f" y {language.counted(time.second, 'un')} segundo{'' if time.second == 1 else 's'}"
    if time.half:
        part = (
            "de la mañana"
            if time.half == "am"
            else "de la tarde"
            if time.hour in (12, *range(1, 8))
            else "de la noche"
        )
        words += f" {part}"
    return words


def _regnal(language: Language, number: int) -> str:
    return numbers.ordinal("es", number) if number <= 10 else language.cardinal(number)


_SPANISH = Language(
    tag="es",
    code="es",
    decimal=",",
    grouped=r"\d{1,3}(?:[. '’]\d{3}){1,4}",
    point="coma",
    minus="menos",
    plus="más",
    to="a",
    times="por",
    over="partido por",
    article=_article,
    agreed=_agreed,
    scales={
        "mil": ("mil", "mil"), "millón": ("millón", "millones"), "millones": ("millón", "millones"),
        "billones": ("billón", "billones"), "k": ("mil", "mil"), "m": ("millón", "millones"),
    },
    of_many=lambda many: " de ",
    one_scale="un",
    fractions={
        (1, 2): "un medio", (1, 3): "un tercio", (2, 3): "dos tercios", (1, 4): "un cuarto", (3, 4): "tres cuartos",
        (1, 8): "un octavo", (24, 7): "veinticuatro siete",
    },
    ordinals=r"\.?[ºª°]|\.er|er",
    ordinal=_ordinal,
    digit_words=frozenset(
        ["pin", "código", "clave", "contraseña", "cuenta", "extensión", "referencia", "pedido", "factura", "tarjeta", "cliente", "expediente", "postal", "contrato", "identificación", "dni"]
    ),
    year_words=frozenset(["en", "desde", "año", "años", "del", "hasta", "verano", "invierno", "primavera", "otoño"]) | frozenset(_MONTHS),
    oblique_words=frozenset(("el", "del", "al", "día")),
    months={**{month: index for index, month in enumerate(_MONTHS, 1)}, **_SHORT},
    date=_date,
    day=_day,
    day_joint="de",
    month_name=lambda language, month: _MONTHS[month - 1],
    weekdays={
        "lun": "lunes", "mar": "martes", "mié": "miércoles", "jue": "jueves", "vie": "viernes",
        "sáb": "sábado", "dom": "domingo", "mie": "miércoles", "sab": "sábado",
    },
    clock=_clock,
    clock_marks=":",
    key_words=frozenset(["tecla", "pulse", "marque", "presione", "oprima", "o", "la", "el"]),
    titles=frozenset(["sr.", "sra.", "srta.", "sres.", "d.", "dña.", "dr.", "dra.", "prof.", "sto.", "sta.", "av.", "avda.", "pza."]),
    determiners=frozenset(["el", "la", "los", "un", "una"]),
    hour_words=r"horas?|h\.?",
    halves={"am": "am", "pm": "pm", "a.m.": "am", "p.m.": "pm", "a. m.": "am", "p. m.": "pm"},
    currencies={
        "€": Currency("euro", "euros", "céntimo", "céntimos", "un", "un"),
        "EUR": Currency("euro", "euros", "céntimo", "céntimos", "un", "un"),
        "euros": Currency("euro", "euros", "céntimo", "céntimos", "un", "un"),
        "$": Currency("dólar", "dólares", "centavo", "centavos", "un", "un"),
        "USD": Currency("dólar estadounidense", "dólares estadounidenses", "centavo", "centavos", "un", "un"),
        "MXN": Currency("peso", "pesos", "centavo", "centavos", "un", "un"),
        "£": Currency("libra", "libras", "penique", "peniques", "una", "un"),
        "GBP": Currency("libra", "libras", "penique", "peniques", "una", "un"),
    },
    cent_joint=" con ",
    units={
        "km/h": Unit("kilómetro por hora", "kilómetros por hora", "un"), "km": Unit("kilómetro", "kilómetros", "un"),
        "m": Unit("metro", "metros", "un"), "cm": Unit("centímetro", "centímetros", "un"),
        "mm": Unit("milímetro", "milímetros", "un"), "kg": Unit("kilo", "kilos", "un"), "g": Unit("gramo", "gramos", "un"),
        "mg": Unit("miligramo", "miligramos", "un"), "l": Unit("litro", "litros", "un"), "L": Unit("litro", "litros", "un"),
        "ml": Unit("mililitro", "mililitros", "un"), "°C": Unit("grado centígrado", "grados centígrados", "un"),
        "ºC": Unit("grado centígrado", "grados centígrados", "un"), "°": Unit("grado", "grados", "un"),
        "min": Unit("minuto", "minutos", "un"), "s": Unit("segundo", "segundos", "un"),
        "MB": Unit("megabyte", "megabytes", "un"), "GB": Unit("gigabyte", "gigabytes", "un"),
        "Hz": Unit("hercio", "hercios", "un"), "W": Unit("vatio", "vatios", "un"), "kW": Unit("kilovatio", "kilovatios", "un"),
        "kWh": Unit("kilovatio hora", "kilovatios hora", "un"), "V": Unit("voltio", "voltios", "un"),
        "m²": Unit("metro cuadrado", "metros cuadrados", "un"), "m³": Unit("metro cúbico", "metros cúbicos", "un"),
        "m3": Unit("metro cúbico", "metros cúbicos", "un"), "ha": Unit("hectárea", "hectáreas", "una"),
    },
    per="por",
    periods={"mes": "mes", "año": "año", "semana": "semana", "día": "día", "hora": "hora", "minuto": "minuto", "noche": "noche", "persona": "persona"},
    percent="por ciento",
    telephone=r"[6-9]\d{2}(?:[ .-]\d{3}){2}|[6-9]\d{2}(?:[ .-]\d{2}){3}|[6-9]\d[ .-]\d{3}[ .-]\d{2}[ .-]\d{2}|\(\d{2,3}\)[ ]?\d{3,4}[ -]\d{4}",
    emergency=frozenset(("112", "091", "092", "061", "062", "080", "911")),
    shortened={
        "sr.": "señor", "sra.": "señora", "srta.": "señorita", "sres.": "señores", "d.": "don", "dña.": "doña",
        "dr.": "doctor", "dra.": "doctora", "prof.": "profesor", "ud.": "usted", "uds.": "ustedes", "vd.": "usted",
        "etc.": "etcétera", "a. c.": "antes de Cristo", "d. c.": "después de Cristo", "ext.": "extensión", "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "av.": "avenida", "avda.": "avenida",
        "c/": "calle", "pza.": "plaza", "tel.": "teléfono", "tfno.": "teléfono", "aprox.": "aproximadamente",
        "dpto.": "departamento", "izda.": "izquierda", "dcha.": "derecha", "máx.": "máximo", "mín.": "mínimo",
        "sto.": "santo", "sta.": "santa", "ee. uu.": "Estados Unidos", "ee.uu.": "Estados Unidos", "s.a.": "S A",
        "n.º": "número", "nº": "número", "vs.": "versus", "ene.": "enero", "feb.": "febrero", "abr.": "abril",
        "ago.": "agosto", "sept.": "septiembre", "oct.": "octubre", "nov.": "noviembre", "dic.": "diciembre",
    },
    before_number={
        "n.º": "número", "nº": "número", "n°": "número", "núm.": "número", "pág.": "página", "págs.": "páginas",
        "cap.": "capítulo", "art.": "artículo", "vol.": "volumen", "fig.": "figura", "km.": "kilómetro",
    },
    acronyms=frozenset(["UE", "USA", "DNI", "NIF", "IVA", "PDF", "URL", "SMS", "TV", "PYME", "BBVA", "ID", "IP", "CV", "ITV", "RTVE", "AVE", "IBM", "IA", "ADSL"])
    - {"IVA", "PYME", "AVE"},
    words=frozenset(["PIN", "SIM", "OTAN", "NASA", "ONU", "OK", "SIDA", "IBAN", "IVA", "ONCE", "AVE", "PYME", "UNESCO", "TIC"]),
    vowels="aeiouyáéíóú",
    regnal=_regnal,
    regnal_names=frozenset(
        ["felipe", "carlos", "alfonso", "fernando", "isabel", "juan", "pablo", "pío", "benedicto", "luis", "enrique", "jorge", "eduardo", "napoleón", "federico", "catalina", "pedro", "nicolás", "alejandro", "gregorio", "clemente", "león", "jaime", "sancho"]
    ),
    counted_names=frozenset(["capítulo", "parte", "tomo", "acto", "tipo", "fase", "volumen", "anexo", "nivel", "mundial", "título", "libro", "artículo", "guerra"]),
    century=lambda language, number: language.cardinal(number),
    century_words=frozenset(("siglo", "siglos")),
    letters={"Y": "i griega", "W": "uve doble"},
    names={
        "and": "y", "#": "número", "=": "igual a", "@": "arroba", ".": "punto", "/": "barra", "-": "guion",
        "_": "guion bajo", ":": "dos puntos", "?": "interrogación", "&": "y", "%": "por ciento", "+": "más",
        "key #": "almohadilla", "key *": "asterisco", "~": "tilde", "°": "grados", "§": "sección",
    },
)  # fmt: skip
_COMMA = frozenset(("es", "ar", "bo", "cl", "co", "cr", "ec", "gq", "py", "uy", "ve"))
_POINTED = replace(_SPANISH, tag="es-419", decimal=".", grouped=r"\d{1,3}(?:[, ]\d{3}){1,4}", point="punto")
_MEXICAN = replace(
    _POINTED,
    tag="es-mx",
    currencies={
        **_SPANISH.currencies,
        "$": Currency("peso", "pesos", "centavo", "centavos", "un", "un"),
        "US$": _SPANISH.currencies["USD"],
    },
    telephone=r"\(?\d{2}\)?[ -]\d{4}[ -]\d{4}|\(?\d{3}\)?[ -]\d{3}[ -]\d{4}",
)
