"""English: the United States' way for en-us and en-ca, the British for all others."""

from __future__ import annotations

from dataclasses import replace

from tts_core.reading import numbers
from tts_core.reading.language import Currency, Instant, Language, Unit

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_SHORT = ["jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"]
_NUMBERS = (1, 2, 3, 4, 6, 7, 8, 9, 9, 10, 11, 12)


def of(tag: str) -> Language:
    """English as `tag` has it."""
    return _AMERICAN if tag in ("en", "en-us", "en-ca") else _BRITISH


def _year(language: Language, number: int) -> str:
    if 2000 <= number <= 2009:
        return language.cardinal(number)
    head, tail = divmod(number, 100)
    if number % 1000 < 10 and number >= 1000:
        return language.cardinal(number)
    if tail == 0:
        return f"{language.cardinal(head)} hundred"
    if tail < 10:
        return f"{language.cardinal(head)} oh {language.cardinal(tail)}"
    return f"{language.cardinal(head)} {language.cardinal(tail)}"


def _ordinal(language: Language, number: int, mark: str = "", before: str = "") -> str:
    words = numbers.ordinal("en", number)
    return words.replace(" and ", " ") if language.tag == "en-us" else words


def _date(language: Language, day: int, month: int, year: int | None, before: str) -> str:
    ordinal, name = _ordinal(language, day), _MONTHS[month - 1]
    the = "" if before == "the" else "the "
    words = f"{name} {ordinal}" if language.month_first else f"{the}{ordinal} of {name}"
    return words if year is None else f"{words} {language.said_year(year)}"


def _day(language: Language, day: int, before: str, mark: str) -> str:
    return _ordinal(language, day)


def _paired(language: Language, digits: str) -> str:
    """204 as two oh four, 747 as seven forty-seven, 1040 as ten forty, as rooms and flights are called."""
    head, tail = digits[:-2], int(digits[-2:])
    if int(digits) % 1000 == 0 or int(head) == 0:
        return language.cardinal(int(digits))
    if tail == 0:
        return f"{language.cardinal(int(head))} hundred"
    return f"{language.cardinal(int(head))} {'oh ' if tail < 10 else ''}{language.cardinal(tail)}"


def _decade(language: Language, year: int) -> str:
    if year in (100, 1000):
        return "hundreds" if year == 100 else "thousands"
    century, tail = divmod(year, 100)
    name = {0: "hundreds", 10: "tens"}.get(tail) or language.cardinal(tail)[:-1] + "ies"
    if century == 20 and not tail:
        return "two thousands"
    return f"{language.cardinal(century)} {name}" if century else name


def _clock(language: Language, time: Instant) -> str:
    hour, minute = time.hour, time.minute
    words = language.cardinal(hour)
    if minute:
        words += f" oh {language.cardinal(minute)}" if minute < 10 else f" {language.cardinal(minute)}"
    elif not time.half:
        words += " o'clock" if 1 <= hour <= 12 else " hundred hours"
    if time.second:
        words += f" and {language.counted(time.second)} second{'' if time.second == 1 else 's'}"
    return f"{words} {'eigh M' if time.half == 'am' else 'P M'}" if time.half else words


def _regnal(language: Language, number: int) -> str:
    return f"the {_ordinal(language, number)}"


_AMERICAN = Language(
    tag="en-us",
    code="en",
    decimal=".",
    grouped=r"\d{1,3}(?:,\d{3}){1,4}|\d{1,2}(?:,\d{2}){1,4},\d{3}",  # lakhs and crores, too
    point="point",
    spell_decimals=True,
    minus="minus",
    plus="plus",
    to="to",
    times="by",
    over="over",
    scales={
        **{word: (word, word) for word in ("thousand", "million", "billion", "trillion")},
        "k": ("thousand", "thousand"), "m": ("million", "million"), "mn": ("million", "million"),
        "b": ("billion", "billion"), "bn": ("billion", "billion"),
    },
    fractions={
        (1, 2): "one half", (1, 3): "one third", (2, 3): "two thirds", (1, 4): "one quarter",
        (3, 4): "three quarters", (1, 5): "one fifth", (2, 5): "two fifths", (3, 5): "three fifths",
        (4, 5): "four fifths", (1, 8): "one eighth", (3, 8): "three eighths", (5, 8): "five eighths",
        (7, 8): "seven eighths", (1, 10): "one tenth", (24, 7): "twenty-four seven",
    },
    ordinals="(?i:st|nd|rd|th)",
    ordinal=_ordinal,
    digit_words=frozenset(
        ["pin", "code", "codes", "ssn", "passcode", "password", "account", "acct", "card", "extension", "ext", "id", "reference", "ref", "ticket", "zip", "zipcode", "postcode", "order", "confirmation", "tracking", "serial", "case", "policy", "member", "invoice", "routing", "sort"]
    ),
    year_words=frozenset(
        ["in", "since", "by", "from", "until", "till", "of", "year", "copyright", "during", "before", "after", "around", "circa", "early", "late", "mid", "spring", "summer", "autumn", "fall", "winter", "class"]
    ) | {month.lower() for month in _MONTHS},
    year=_year,
    bare_years=True,
    oblique_words=frozenset(("on", "dated", "due")),
    months={
        **{month.lower(): index for index, month in enumerate(_MONTHS, 1)},
        **dict(zip(_SHORT, _NUMBERS, strict=True)),
    },
    month_first=True,
    date=_date,
    day=_day,
    day_joint="of",
    decade=_decade,
    decades="(?:(?:[12]\\d)?\\d0|100|1,?000)['’]?s",
    paired=_paired,
    paired_words=frozenset(
        ["room", "rm", "suite", "ste", "flight", "boeing", "airbus", "highway", "hwy", "route", "apartment", "apt", "unit", "form", "building"]
    ),
    key_words=frozenset(["press", "dial", "hit", "enter", "push", "or", "then", "the", "key"]),
    articles=frozenset(("a", "an")),
    determiners=frozenset(["the", "an", "this", "that", "my", "your", "his", "her", "our", "their", "each", "via", "by", "start"]),
    titles=frozenset(["mr.", "mrs.", "ms.", "prof.", "mt.", "ft.", "vs.", "e.g.", "i.e.", "approx.", "p.o.", "tel.", "ext.", "a.k.a."]),
    starters=frozenset(
        ["a", "all", "an", "and", "are", "as", "at", "but", "by", "call", "can", "could", "did", "do", "does", "for", "from", "have", "he", "her", "here", "his", "how", "i", "if", "in", "is", "it", "it's", "its", "let", "may", "my", "no", "now", "of", "on", "one", "or", "our", "please", "press", "say", "she", "should", "so", "some", "thank", "thanks", "that", "the", "their", "then", "there", "these", "they", "this", "those", "to", "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "yes", "you", "your"]
    ),
    month_name=lambda language, month: _MONTHS[month - 1],
    weekdays={
        "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday",
        "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
    },
    clock=_clock,
    clock_marks=":",
    halves={"am": "am", "pm": "pm", "a.m.": "am", "p.m.": "pm", "a.m": "am", "p.m": "pm", "a m": "am", "p m": "pm"},
    hour_words="o'clock|hours",
    currencies={
        "$": Currency("dollar", "dollars", "cent", "cents"),
        "US$": Currency("U S dollar", "U S dollars", "cent", "cents"),
        "USD": Currency("U S dollar", "U S dollars", "cent", "cents"),
        "C$": Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
        "A$": Currency("Australian dollar", "Australian dollars", "cent", "cents"),
        "CAD": Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
        "AUD": Currency("Australian dollar", "Australian dollars", "cent", "cents"),
        "€": Currency("euro", "euros", "cent", "cents"),
        "EUR": Currency("euro", "euros", "cent", "cents"),
        "£": Currency("pound", "pounds", "penny", "pence"),
        "GBP": Currency("pound", "pounds", "penny", "pence"),
        "¥": Currency("yen", "yen"),
        "JPY": Currency("yen", "yen"),
        "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
        "₹": Currency("rupee", "rupees", "paisa", "paise"),
        "INR": Currency("rupee", "rupees", "paisa", "paise"),
        "৳": Currency("taka", "taka", "poisha", "poisha"),
        "BDT": Currency("taka", "taka", "poisha", "poisha"),
    },
    cent_joint=" and ",
    units={
        "km/h": Unit("kilometer per hour", "kilometers per hour"), "mph": Unit("mile per hour", "miles per hour"),
        "km": Unit("kilometer", "kilometers"), "m": Unit("meter", "meters"), "cm": Unit("centimeter", "centimeters"),
        "mm": Unit("millimeter", "millimeters"), "kg": Unit("kilogram", "kilograms"), "g": Unit("gram", "grams"),
        "mg": Unit("milligram", "milligrams"), "lb": Unit("pound", "pounds"), "lb.": Unit("pound", "pounds"), "lbs.": Unit("pound", "pounds"),
        "oz.": Unit("ounce", "ounces"), "ft.": Unit("foot", "feet"), "min.": Unit("minute", "minutes"),
        "sec.": Unit("second", "seconds"), "hr.": Unit("hour", "hours"), "hrs.": Unit("hour", "hours"),
        "hrs": Unit("hour", "hours"), "lbs": Unit("pound", "pounds"),
        "oz": Unit("ounce", "ounces"), "ft": Unit("foot", "feet"), "yd": Unit("yard", "yards"),
        "mi": Unit("mile", "miles"), "l": Unit("liter", "liters"), "L": Unit("liter", "liters"),
        "ml": Unit("milliliter", "milliliters"), "°C": Unit("degree Celsius", "degrees Celsius"),
        "°F": Unit("degree Fahrenheit", "degrees Fahrenheit"), "°": Unit("degree", "degrees"),
        "h": Unit("hour", "hours"), "hr": Unit("hour", "hours"), "min": Unit("minute", "minutes"),
        "mins": Unit("minute", "minutes"), "sec": Unit("second", "seconds"), "s": Unit("second", "seconds"),
        "ms": Unit("millisecond", "milliseconds"), "kB": Unit("kilobyte", "kilobytes"),
        "KB": Unit("kilobyte", "kilobytes"), "MB": Unit("megabyte", "megabytes"), "GB": Unit("gigabyte", "gigabytes"),
        "TB": Unit("terabyte", "terabytes"), "Mbps": Unit("megabit per second", "megabits per second"),
        "Hz": Unit("hertz", "hertz"), "kHz": Unit("kilohertz", "kilohertz"), "MHz": Unit("megahertz", "megahertz"),
        "GHz": Unit("gigahertz", "gigahertz"), "W": Unit("watt", "watts"), "kW": Unit("kilowatt", "kilowatts"),
        "kWh": Unit("kilowatt hour", "kilowatt hours"), "V": Unit("volt", "volts"), "dB": Unit("decibel", "decibels"),
        "mAh": Unit("milliamp hour", "milliamp hours"), "m²": Unit("square meter", "square meters"),
        "m2": Unit("square meter", "square meters"), "km²": Unit("square kilometer", "square kilometers"),
        "sq ft": Unit("square foot", "square feet"), "sq. ft.": Unit("square foot", "square feet"),
        "sq. ft": Unit("square foot", "square feet"), "m³": Unit("cubic meter", "cubic meters"), "m3": Unit("cubic meter", "cubic meters"),
    },
    per="per",
    periods={"mo": "month", "yr": "year", "hr": "hour", "min": "minute", "month": "month", "year": "year", "week": "week", "day": "day", "hour": "hour", "minute": "minute", "night": "night", "person": "person", "user": "user"},
    percent="percent",
    telephone=(
        r"1[-. ]\d{3}[-. ](?:\d{3}[-. ]\d{4}|[A-Z]{4,9})|1[ ]?\(\d{3}\)[ ]?\d{3}[-. ]\d{4}"
        r"|\(\d{3}\)[ ]?\d{3}[-. ]?\d{4}|\d{3}[-. ]\d{3}[-. ]\d{4}|\d{3}/\d{3}-\d{4}|\d{3}-\d{4}"
        r"|\(?0\d{2,4}\)?[ ]\d{3,4}[ ]?\d{3,4}(?:[ ]\d{3,4})?"
    ),
    emergency=frozenset(("211", "311", "411", "511", "611", "711", "811", "911", "988")),
    postcode=(
        r"\b(?:A[KLRZ]|C[AOT]|D[CE]|FL|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]"
        r"|W[AIVY])[ ]"
    ),
    shortened={
        "mr.": "mister", "mr": "mister", "mrs.": "missus", "mrs": "missus", "ms.": "miz", "prof.": "professor",
        "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
        "approx.": "approximately", "dept.": "department", "apt.": "apartment", "ave.": "avenue",
        "blvd.": "boulevard", "blvd": "boulevard", "rd.": "road", "hwy.": "highway", "hwy": "highway",
        "jr.": "junior", "sr.": "senior", "inc.": "incorporated", "ltd.": "limited", "corp.": "corporation",
        "bros.": "brothers", "ext.": "extension", "tel.": "telephone", "govt.": "government", "assn.": "association",
        "min.": "minimum", "max.": "maximum", "a.k.a.": "also known as", "aka": "also known as", "w/": "with",
        "w/o": "without", "b/c": "because", "ph.d.": "P H D", "m.d.": "M D", "a.m.": "eigh M", "p.o.": "P O", "p.m.": "P M",
        "jan.": "January", "feb.": "February", "aug.": "August", "sept.": "September", "oct.": "October",
        "nov.": "November", "dec.": "December", "mon.": "Monday", "tue.": "Tuesday", "tues.": "Tuesday",
        "wed.": "Wednesday", "thu.": "Thursday", "thurs.": "Thursday", "fri.": "Friday",
        "dr.": "doctor", "dr": "doctor", "st.": "street", "mt.": "mount", "ft.": "fort",
    },
    before_capital={
        "dr.": "Doctor", "dr": "Doctor", "st.": "Saint", "st": "Saint", "gen.": "General", "col.": "Colonel",
        "capt.": "Captain", "lt.": "Lieutenant", "sgt.": "Sergeant", "rev.": "Reverend", "hon.": "Honorable",
        "rep.": "Representative", "sen.": "Senator", "gov.": "Governor", "pres.": "President", "ft.": "Fort",
        "mt.": "Mount",
    },
    placed={
        "dr.": "drive", "dr": "drive", "st.": "street", "st": "street", "ave": "avenue", "blvd": "boulevard", "rd": "road",
        "ln": "lane", "pkwy": "parkway",
    },
    before_number={
        "no.": "number", "nos.": "numbers", "fig.": "figure", "p.": "page", "pp.": "pages", "ch.": "chapter",
        "vol.": "volume", "sec.": "section", "apt.": "apartment", "ste.": "suite", "rm.": "room", "par.": "paragraph",
        "ext.": "extension", "apt": "apartment",
    },
    acronyms=frozenset(
        ["USA", "UK", "EU", "UN", "FBI", "CIA", "ATM", "PDF", "URL", "HTML", "HTTP", "HTTPS", "SMS", "MMS", "VIP", "CEO", "CFO", "CTO", "USB", "DVD", "API", "IBM", "BBC", "CNN", "NYC", "LA", "FAQ", "DIY", "ETA", "EST", "CST", "MST", "PST", "EDT", "CDT", "MDT", "PDT", "GMT", "UTC", "HIV", "DNA", "IT", "AI", "HR", "PR", "TV", "PC", "ID", "IQ", "IP", "ISP", "IVR", "RTP", "SIP", "VPN", "DOB", "SSN", "VAT", "USD", "EUR", "GBP", "AC", "DC", "II"]
    ) - {"SIP", "II"},
    words=frozenset(["PIN", "SIM", "NASA", "NATO", "OK", "AIDS", "ZIP", "IBAN", "ASAP", "RAM", "ROM", "GIF", "JPEG", "LED", "OPEC", "UNICEF", "NO", "AM", "PM", "LOL"])
    - {"AM", "PM", "LED"},
    letters={"A": "eigh"},  # as espeak-ng says the letter: alone it is the article
    regnal=_regnal,
    regnal_names=frozenset(
        ["henry", "louis", "edward", "george", "charles", "james", "william", "richard", "elizabeth", "john", "paul", "pius", "benedict", "philip", "frederick", "catherine", "mary", "napoleon", "alexander", "nicholas", "peter", "leo", "gregory", "clement", "innocent", "urban", "ramses", "ivan", "robert", "david", "thomas", "francis", "ferdinand", "felipe", "juan", "carlos", "harald", "gustav", "oscar", "christian", "michael", "joseph", "samuel"]
    ),
    counted_names=frozenset(
        ["chapter", "part", "section", "war", "act", "volume", "phase", "type", "level", "bowl", "book", "title", "article", "step", "stage", "class", "grade", "category", "world", "appendix", "figure", "table", "unit", "schedule", "apollo", "mark", "version", "tier", "pillar"]
    ),
    names={
        "and": "and", "#": "number", "=": "equals", "@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore",
        ":": "colon", "?": "question mark", "&": "ampersand", "%": "percent", "+": "plus", "~": "tilde", "°": "degrees",
        "§": "section", "key #": "pound", "key *": "star",
    },
)  # fmt: skip
_BRITISH = replace(
    _AMERICAN,
    tag="en-gb",
    month_first=False,
    emergency=frozenset(("999", "112", "111", "101")),
    names={**_AMERICAN.names, "key #": "hash"},
    units={
        sign: Unit(
            *(word.replace("meter", "metre").replace("liter", "litre") for word in (unit.one, unit.many))
        )
        for sign, unit in _AMERICAN.units.items()
    },
)
