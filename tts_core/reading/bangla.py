"""Bangla: its own digits or European ones, lakh and crore, its months and the danda."""

from __future__ import annotations

from tts_core.reading.language import Currency, Instant, Language, Unit

_MONTHS = [
    "জানুয়ারি",
    "ফেব্রুয়ারি",
    "মার্চ",
    "এপ্রিল",
    "মে",
    "জুন",
    "জুলাই",
    "আগস্ট",
    "সেপ্টেম্বর",
    "অক্টোবর",
    "নভেম্বর",
    "ডিসেম্বর",
]
_OTHERS = {"জানুয়ারী": 1, "ফেব্রুয়ারী": 2, "অগাস্ট": 8}
_DAYS = {1: "পহেলা", 2: "দোসরা", 3: "তেসরা", 4: "চৌঠা"}
_FIRST = (
    "", "প্রথম", "দ্বিতীয়", "তৃতীয়", "চতুর্থ", "পঞ্চম", "ষষ্ঠ", "সপ্তম", "অষ্টম", "নবম", "দশম",
)  # fmt: skip


def _both(words: dict[str, int]) -> dict[str, int]:
    """`words` as Unicode composes them and as keyboards do."""
    return {form: value for word, value in words.items() for form in (word, _composed(word), _parted(word))}


def _composed(word: str) -> str:
    return word.replace("\u09af\u09bc", "\u09df").replace("\u09a1\u09bc", "\u09dc")


def _parted(word: str) -> str:
    return word.replace("\u09df", "\u09af\u09bc").replace("\u09dc", "\u09a1\u09bc")


def of(tag: str) -> Language:
    """Bangla, the same for Bangladesh and India."""
    return _BANGLA


def _ordinal(language: Language, number: int, mark: str, before: str) -> str:
    if mark in _DAY_MARKS:
        return _day_marked(language, number)
    return _FIRST[number] if number < len(_FIRST) else f"{language.cardinal(number)}তম"


_DAY_MARKS = ("লা", "রা", "ঠা", "ই", "শে")


def _day_marked(language: Language, day: int) -> str:
    if day in _DAYS:
        return _DAYS[day]
    words = language.cardinal(day)
    return words + ("ে" if words.endswith("শ") else "ই")


def _date(language: Language, day: int, month: int, year: int | None, before: str) -> str:
    words = f"{language.cardinal(day)} {_MONTHS[month - 1]}"
    return words if year is None else f"{words} {language.said_year(year)}"


def _year(language: Language, number: int) -> str:
    head, tail = divmod(number, 100)
    if 1100 <= number < 2000:
        return f"{language.cardinal(head)}শ" + (f" {language.cardinal(tail)}" if tail else "")
    return language.cardinal(number)


def _clock(language: Language, time: Instant) -> str:
    hour = time.hour - 12 if time.hour > 12 else time.hour
    words = f"{language.cardinal(hour)}টা"
    part = {"am": "সকাল", "pm": "বিকাল"}.get(time.half, "")
    if time.hour > 12 and not part:
        part = "দুপুর" if hour < 4 else "বিকাল" if hour < 6 else "সন্ধ্যা" if hour < 8 else "রাত"
    if time.minute:
        words += f" {language.cardinal(time.minute)} মিনিট"
    if time.second:
        words += f" {language.cardinal(time.second)} সেকেন্ড"
    return f"{part} {words}" if part else words


_BANGLA = Language(
    tag="bn",
    code="bn",
    decimal=".",
    grouped=r"\d{1,2}(?:,\d{2}){0,4},\d{3}|\d{1,3}(?:,\d{3}){1,4}",
    point="দশমিক",
    spell_decimals=True,
    minus="মাইনাস",
    plus="প্লাস",
    to="থেকে",
    times="গুণ",
    over="বাই",
    scales={
        "হাজার": ("হাজার", "হাজার"), "লাখ": ("লাখ", "লাখ"), "লক্ষ": ("লক্ষ", "লক্ষ"), "কোটি": ("কোটি", "কোটি"),
        "মিলিয়ন": ("মিলিয়ন", "মিলিয়ন"), "বিলিয়ন": ("বিলিয়ন", "বিলিয়ন"),
    },
    fractions={
        (1, 2): "অর্ধেক", (1, 4): "চার ভাগের এক ভাগ", (3, 4): "চার ভাগের তিন ভাগ", (1, 3): "তিন ভাগের এক ভাগ",
        (24, 7): "চব্বিশ ঘণ্টা সাত দিন",
    },
    ordinals="ম|য়|য়|র্থ|ষ্ঠ|তম|লা|রা|ঠা|ই|শে",
    ordinal=_ordinal,
    digit_words=frozenset(["পিন", "কোড", "পাসওয়ার্ড", "পাসওয়ার্ড", "অ্যাকাউন্ট", "হিসাব", "নম্বর", "নাম্বার", "আইডি", "রেফারেন্স", "টিকিট", "অর্ডার", "ওটিপি"]),
    year_words=frozenset(("সাল", "সন", *_MONTHS)),
    year=_year,
    months=_both({**{month: index for index, month in enumerate(_MONTHS, 1)}, **_OTHERS}),
    date=_date,
    day=lambda language, day, before, mark: _day_marked(language, day) if mark else language.cardinal(day),
    suffixed=True,
    years_after=frozenset(["সাল", "সালে", "সালের", "সালেই", "খ্রিষ্টাব্দ", "খ্রিষ্টাব্দে", "খ্রিস্টাব্দে", "সনে"]),
    key_words=frozenset(["চাপুন", "বোতাম"]),
    month_name=lambda language, month: _MONTHS[month - 1],
    clock=_clock,
    clock_marks=":",
    halves={"am": "am", "pm": "pm", "এএম": "am", "পিএম": "pm"},
    currencies={
        "৳": Currency("টাকা", "টাকা", "পয়সা", "পয়সা"),
        "টাকা": Currency("টাকা", "টাকা", "পয়সা", "পয়সা"),
        "BDT": Currency("টাকা", "টাকা", "পয়সা", "পয়সা"),
        "₹": Currency("রুপি", "রুপি", "পয়সা", "পয়সা"),
        "INR": Currency("রুপি", "রুপি", "পয়সা", "পয়সা"),
        "$": Currency("ডলার", "ডলার", "সেন্ট", "সেন্ট"),
        "USD": Currency("মার্কিন ডলার", "মার্কিন ডলার", "সেন্ট", "সেন্ট"),
        "€": Currency("ইউরো", "ইউরো", "সেন্ট", "সেন্ট"),
        "£": Currency("পাউন্ড", "পাউন্ড", "পেন্স", "পেন্স"),
    },
    units={
        "কিমি": Unit("কিলোমিটার", "কিলোমিটার"), "কি.মি.": Unit("কিলোমিটার", "কিলোমিটার"), "km": Unit("কিলোমিটার", "কিলোমিটার"),
        "কেজি": Unit("কেজি", "কেজি"), "kg": Unit("কেজি", "কেজি"), "গ্রাম": Unit("গ্রাম", "গ্রাম"), "g": Unit("গ্রাম", "গ্রাম"),
        "মিটার": Unit("মিটার", "মিটার"), "m": Unit("মিটার", "মিটার"), "সেমি": Unit("সেন্টিমিটার", "সেন্টিমিটার"),
        "cm": Unit("সেন্টিমিটার", "সেন্টিমিটার"), "লিটার": Unit("লিটার", "লিটার"), "°C": Unit("ডিগ্রি সেলসিয়াস", "ডিগ্রি সেলসিয়াস"),
        "°": Unit("ডিগ্রি", "ডিগ্রি"), "MB": Unit("মেগাবাইট", "মেগাবাইট"), "GB": Unit("গিগাবাইট", "গিগাবাইট"),
        "km/h": Unit("কিলোমিটার প্রতি ঘণ্টা", "কিলোমিটার প্রতি ঘণ্টা"), "kWh": Unit("কিলোওয়াট আওয়ার", "কিলোওয়াট আওয়ার"),
    },
    per="প্রতি",
    percent="শতাংশ",
    telephone=r"[0০][1১]\d{3}[- ]\d{6}|[0০][1১]\d{9}|[0০]\d{1,2}[- ]\d{6,8}",
    emergency=frozenset(("999", "৯৯৯", "333", "৩৩৩", "112", "১১২")),
    shortened={
        "ড.": "ডক্টর", "ডা.": "ডাক্তার", "ডাঃ": "ডাক্তার", "ড:": "ডক্টর", "মো.": "মোহাম্মদ", "মোঃ": "মোহাম্মদ", "মোসা.": "মোসাম্মত",
        "মি.": "মিস্টার", "মিঃ": "মিস্টার", "প্রফেসর": "প্রফেসর", "অধ্যা.": "অধ্যাপক", "লি.": "লিমিটেড", "ইঞ্জি.": "ইঞ্জিনিয়ার",
        "খ্রি.": "খ্রিষ্টাব্দ", "বি.দ্র.": "বিশেষ দ্রষ্টব্য", "পৃ.": "পৃষ্ঠা", "কি.মি.": "কিলোমিটার",
    },
    before_number={"নং": "নম্বর", "নং.": "নম্বর", "পৃ.": "পৃষ্ঠা"},
    shouts=False,
    names={
        "and": "এবং", "#": "নম্বর", "=": "সমান", "@": "অ্যাট", ".": "ডট", "/": "স্ল্যাশ", "-": "ড্যাশ", "_": "আন্ডারস্কোর",
        "key #": "হ্যাশ", "key *": "স্টার", ":": "কোলন", "?": "প্রশ্নবোধক চিহ্ন", "&": "এবং", "%": "শতাংশ", "+": "প্লাস", "~": "টিল্ড", "°": "ডিগ্রি",
    },
)  # fmt: skip
