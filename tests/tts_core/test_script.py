"""Scripts and SSML: what is understood, what degrades, what is refused and where."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_core import Mark, Pause, Say, Script, ScriptError
from tts_core.plan import Clause, Rest, steps
from tts_core.script import Manner


def spoken(ssml: str) -> list[str | int | tuple[str]]:
    """Pieces in short: what is said (and how, where that is told), pauses as ms, marks as (name,)."""
    script = Script.from_ssml(f"<speak>{ssml}</speak>")
    short: list[str | int | tuple[str]] = []
    for piece in script.pieces:
        if isinstance(piece, Say):
            how = "" if piece.how is None else f" {piece.how}"
            short.append(script.text[piece.start : piece.end] + how)
        else:
            short.append(piece.ms if isinstance(piece, Pause) else (piece.name,))
    return short


@pytest.mark.parametrize(
    ("ssml", "pieces"),
    [
        ("Hello  there,\n   you &amp; I", ["Hello there, you & I"]),
        ("a<break time='500ms'/>b<break time='1.5s'/>c<break/>d", ["a", 500, "b", 1500, "c", 225, "d"]),
        ("a<break strength='x-strong'/><break strength='none'/>", ["a", 500, 0]),
        ("<p><s>One</s> <s>Two</s></p><p>Three</p>", ["One", 300, " Two", 500, " Three"]),
        ("<s>One</s><break time='2s'/><s>Two</s>", ["One", 2000, " Two"]),
        ("press <mark name='k'/>one", ["press", ("k",), " one"]),
        ("<sub alias='World Wide Web'>W<b>W</b>W</sub>!", ["WWW Alias(text='World Wide Web')", "!"]),
        ("<say-as interpret-as='digits'>1234</say-as>.", ["1234 SayAs(kind='digits', detail='')", "."]),
        ("<say-as interpret-as='telephone'>555-0199</say-as>", ["555-0199 SayAs(kind='telephone', detail='')"]),
        ("<say-as interpret-as='characters'>A1 b</say-as>", ["A1 b SayAs(kind='characters', detail='')"]),
        ("<say-as interpret-as='date' format='dm'>1/2</say-as>", ["1/2 SayAs(kind='date', detail='dm')"]),
        ("<say-as interpret-as='shoe-size'>9</say-as>", ["9"]),
        ("<sub alias='World Wide Web'/>", ["World Wide Web"]),
        (
            "<phoneme alphabet='x-sampa' ph='h@&quot;l@U'>hello</phoneme>",
            ["hello Phonemes(ipa='həˈləʊ')"],
        ),
        ("<phoneme alphabet='klingon' ph='Q'>hello</phoneme>", ["hello"]),
        ("<voice name='x'>Hi</voice> <prosody rate='slow'>you</prosody><!-- no --><?pi no?>", ["Hi", " you"]),
        ("<![CDATA[a < b]]>", ["a < b"]),
        ("", []),
    ],
)  # fmt: skip
def test_ssml(ssml: str, pieces: list[str | int | tuple[str]]) -> None:
    assert spoken(ssml) == pieces


def manners(ssml: str) -> list[tuple[str, Manner]]:
    script = Script.from_ssml(ssml)
    return [(script.text[p.start : p.end].strip(), p.manner) for p in script.pieces if isinstance(p, Say)]


@pytest.mark.parametrize(
    ("ssml", "manner"),
    [
        ("<prosody rate='slow'>x</prosody>", Manner(rate=0.75)),
        ("<prosody rate='150%'>x</prosody>", Manner(rate=1.5)),
        ("<prosody rate='+10%'>x</prosody>", Manner(rate=1.1)),
        ("<prosody rate='0.8'>x</prosody>", Manner(rate=0.8)),
        ("<prosody rate='900%'>x</prosody>", Manner(rate=2.0)),
        ("<prosody volume='+6dB'>x</prosody>", Manner(volume_db=6)),
        ("<prosody volume='10'>x</prosody>", Manner(volume_db=-20)),
        ("<prosody volume='silent'>x</prosody>", Manner(volume_db=-96)),
        ("<prosody pitch='+12st'>x</prosody>", Manner(pitch=2)),
        ("<prosody pitch='-50%'>x</prosody>", Manner(pitch=0.5)),
        ("<prosody rate='slow' pitch='high' volume='soft'>x</prosody>", Manner("", "", 0.75, -6, 1.2)),
        ("<prosody volume='-6dB'><prosody volume='-6dB'>x</prosody></prosody>", Manner(volume_db=-12)),
        ("<prosody rate='slow'><prosody rate='medium'>x</prosody></prosody>", Manner()),
        ("<lang xml:lang='de'>x</lang>", Manner(language="de")),
        ("<s xml:lang='fr-FR'>x</s>", Manner(language="fr-FR")),
        ("<voice name='espeak:de'>x</voice>", Manner(voice="espeak:de")),
        ("<voice name='espeak:de'><lang xml:lang='it'>x</lang></voice>", Manner(language="it")),
        ("<voice xml:lang='es'>x</voice>", Manner(language="es")),
    ],
)
def test_manners(ssml: str, manner: Manner) -> None:
    assert manners(f"<speak>{ssml}</speak>") == [("x", manner)]
    whole = manners(f"<speak>a {ssml} b</speak>")
    assert whole == [("a", Manner()), ("x", manner), ("b", Manner())] or manner == Manner()


@pytest.mark.parametrize(
    ("ssml", "warning"),
    [
        ("<prosody rate='quick'>x</prosody>", "prosody rate='quick' has no effect"),
        ("<prosody rate='-200%'>x</prosody>", "prosody rate='-200%' has no effect"),
        ("<prosody pitch='+20Hz'>x</prosody>", "prosody pitch='+20Hz' has no effect"),
        ("<prosody volume='9 dB'>x</prosody>", "prosody volume='9 dB' has no effect"),
        ("<prosody contour='(0%,+2st)'>x</prosody>", "contour of <prosody> is not supported"),
        ("<lang xml:lang='?'>x</lang>", "no language's tag"),
        ("<lang>x</lang>", "<lang> without xml:lang"),
        ("<phoneme alphabet='klingon' ph='Q'>x</phoneme>", "phoneme alphabet='klingon'"),
        ("<say-as interpret-as='shoe-size'>x</say-as>", "say-as interpret-as='shoe-size'"),
        ("<audio src='http://example.com/a.wav'>x</audio>", "cannot be played"),
    ],
)
def test_what_cannot_be_followed_warns(ssml: str, warning: str) -> None:
    script = Script.from_ssml(f"<speak>{ssml}</speak>")
    assert script.text == "x"
    assert warning in script.warnings[0]
    assert script.pieces == (Say(0, 1),)


def test_what_degrades_is_said_with_its_place() -> None:
    script = Script.from_ssml('<speak version="1.1">a\n <emphasis>b</emphasis><s role="x">c</s></speak>')
    assert script.text == "a b c"
    assert script.warnings == (
        "line 2, column 2: <emphasis> is not supported; what it holds is read as plain text",
        "line 2, column 24: role of <s> is not supported and has no effect",
    )
    assert len(Script.from_ssml(f"<speak>{'<i/>' * 500}</speak>").warnings) == 20


@pytest.mark.parametrize(
    ("ssml", "line", "column", "says"),
    [
        ("", 1, 1, "no element found"),
        ("hello", 1, 1, "syntax error"),
        ("<speak>\n <s>", 2, 5, "no element found"),
        ("<speak></p></speak>", 1, 10, "mismatched tag"),
        ("<p>x</p>", 1, 1, "must be <speak>"),
        ("<!DOCTYPE speak SYSTEM 'file:///etc/passwd'><speak/>", 1, 1, "DOCTYPE"),
        ("<!DOCTYPE s [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]><speak>&c;</speak>", 1, 1, "DOCTYPE"),
        ("<speak>&bomb;</speak>", 1, 8, "undefined entity"),
        ("<speak>\n  <break time='5'/></speak>", 2, 3, "like 500ms or 1.5s"),
        ("<speak><break time='61s'/></speak>", 1, 8, "at most 60s"),
        ("<speak><break strength='huge'/></speak>", 1, 8, "x-weak"),
        ("<speak><mark/></speak>", 1, 8, "needs the attribute name"),
        ("<speak><sub>x</sub></speak>", 1, 8, "needs the attribute alias"),
        ("<speak><say-as>x</say-as></speak>", 1, 8, "needs the attribute interpret-as"),
        ("<speak>a\nb\ud800</speak>", 2, 2, "lone surrogate"),
        ("<speak>\0</speak>", 1, 8, "invalid token"),
        ("<speak>" + "<s>" * 40, 1, 101, "deeper than 32"),
    ],
)  # fmt: skip
def test_refusals_say_where(ssml: str, line: int, column: int, says: str) -> None:
    with pytest.raises(ScriptError, match=says) as caught:
        Script.from_ssml(ssml)
    if says != "DOCTYPE":  # expat reports it where its subset begins
        assert (caught.value.line, caught.value.column) == (line, column)


def test_size_is_bounded() -> None:
    with pytest.raises(ScriptError, match="262144 are allowed"):
        Script.from_ssml("<speak>" + "a" * 262_144 + "</speak>")
    assert len(Script.from_ssml("<speak>" + "a " * 131_000 + "</speak>").text) == 261_999


MARKUP = st.lists(
    st.sampled_from(
        ["<speak>", "</speak>", "<p>", "</p>", "<s>", "</s>", "<break/>", "<break time='1s'/>", "<mark/>",
         "<mark name='m'/>", "<sub alias='b'>", "</sub>", "<say-as interpret-as='digits'>", "</say-as>", "text ",
         " 12-3", "&amp;", "&x;", "<![CDATA[", "]]>", "<!--", "-->", "\n", "é", "\0", "<!DOCTYPE a [", "<", ">"]
    )
).map("".join)  # fmt: skip


@given(
    MARKUP | MARKUP.map(lambda body: f"<speak>{body}</speak>") | st.text(st.characters(exclude_categories=()))
)
def test_any_document_is_a_script_or_a_script_error(ssml: str) -> None:
    try:
        script = Script.from_ssml(ssml)
    except ScriptError:
        return
    said = "".join(script.text[p.start : p.end] for p in script.pieces if isinstance(p, Say))
    assert said == script.text
    assert "  " not in said


@given(
    st.recursive(
        st.sampled_from(["a b.", "12", " ", "&lt;"]),
        lambda inner: st.builds(
            "<{0}>{1}</{0}>".format,
            st.sampled_from(["p", "s", "b"]),
            st.lists(inner, max_size=4).map("".join),
        ),
        max_leaves=20,
    )
)
def test_blocks_never_pause_at_the_edges_nor_twice(body: str) -> None:
    pieces = Script.from_ssml(f"<speak>{body}</speak>").pieces
    if pieces:
        assert isinstance(pieces[0], Say)
        assert isinstance(pieces[-1], Say)
    for one, other in itertools.pairwise(pieces):
        assert not (isinstance(one, Pause) and isinstance(other, Pause))


@pytest.mark.parametrize(
    "pieces",
    [(Say(0, 6),), (Say(3, 2),), (Say(2, 4), Say(0, 1)), (Say(-1, 2),), (Pause(-1),), (Pause(60_001),)],
)
def test_impossible_scripts_are_refused(pieces: tuple[Say | Pause, ...]) -> None:
    with pytest.raises(ScriptError):
        Script("hello", pieces)


def test_from_text() -> None:
    assert Script.from_text("a <b>\0") == Script("a <b>\0", (Say(0, 6),), ())
    assert Script.from_text("").pieces == ()


def test_steps_keep_a_marked_sentence_whole() -> None:
    text = "Press one now. Or wait"
    script = Script(text, (Mark("a"), Say(0, 6), Mark("b"), Say(6, 15), Mark("c"), Say(15, 22), Mark("d")))
    assert list(steps(script)) == [
        Clause("Press one now.", 0, (("a", 0), ("b", 6)), 300, False),
        Clause("Or wait", 15, (("c", 15),), 0, False),
        Rest(0, ("d",)),
    ]


def test_steps_let_an_explicit_pause_replace_the_natural_one() -> None:
    text = "One. ... Two: three"
    script = Script(text, (Say(0, 5), Pause(40), Mark("m"), Say(5, 9), Say(9, 13), Pause(0), Say(13, 19)))
    assert list(steps(script)) == [
        Clause("One.", 0, (), 0, False),
        Rest(40, ()),
        Clause("Two:", 9, (("m", 5),), 0, False),
        Rest(0, ()),
        Clause("three", 14, (), 0, False),
    ]


@pytest.mark.parametrize(
    ("text", "pauses"),
    [("One here. Two", [300, 0]), ("A fairly long clause, then", [150, 0]),
     ("A fairly long clause: then", [225, 0]), ("Title\n\nBody", [500, 0]), ("Is it so?” Yes", [300, 0]),
     ("你好。再见", [300, 0]), (f"{'word ' * 60}", [0, 0])],
)  # fmt: skip
def test_natural_pauses(text: str, pauses: list[int]) -> None:
    clauses = [step for step in steps(Script.from_text(text)) if isinstance(step, Clause)]
    assert [clause.pause_ms for clause in clauses] == pauses
    assert [clause.continues for clause in clauses[:-1]] == [pause == 0 for pause in pauses[:-1]]
