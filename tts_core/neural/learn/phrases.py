"""What is said on telephones, as templates; `{slots}` are filled by sentences.py."""

ENGLISH = (
    "the {word} {past} the {word} {manner}.",
    "a {word} {word} was {past} by the {plural}.",
    "{name} {past} {number} {plural} in {place}.",
    "she {past} the {plural} and {past} a {word} for {name}.",
    "they were {going} {plural} near the {word} when it {past}.",
    "it is a {word} of {plural}, {past} {manner} by hand.",
    "we {past} him with {plural} from the {word}.",
    "his {plural} are {word}, and her {word} is {word}.",
    "there are {plural} in the {word}, not {plural}.",
    "{going} the {word} is easier than {going} it {manner}.",
    "if you {word} the {word}, I will {word} your {plural}.",
    "{manner} {going}, the {word} {past} into the {plural}.",
    "you could {word} my {word} before the {plural} go {going}.",
    "nobody {past} about {name} or the {word} {plural}.",
    "what is the {word} of this {word}?",
    "is the {word} {going} {manner}?",
    "do you have any {plural} for {name}?",
    "can we {word} the {plural} on {day}?",
    "would you like to {word} the {word}?",
    "why was {name} {going} those {plural}?",
    "are you {name}?",
    "did they {word} it {manner}?",
    "stop the {word}, {name}!",
    "what a {word} {word}!",
    "{any}.",
    "{any}, {any}, {any}.",
    "{any} {any} {any}.",
    "{name}.",
    "{name} {name}.",
    "{place}.",
    "{number}.",
    "{digits}.",
    "{letters}.",
    "{day}, {month} {ordinal}.",
    "the number is {digits}.",
    "your code is {letters} {digits}.",
    "please call {digits} after {number} o'clock.",
    "that will be {number} dollars and {cents} cents.",
    "your balance is {number} dollars.",
    "my name is {name} {name}, spelled {letters}.",
    "this is {name} from {place}, how may I help you?",
    "hello, and welcome to {name} {word} services.",
    "hello {name}, thank you for calling.",
    "your appointment is on {day}, {month} {ordinal}, at {hour} {half}.",
    "your order of {number} {plural} was shipped on {day}.",
    "for {plural}, press {digit}.",
    "press {digit} for {word}, or {digit} for {plural}.",
    "to speak to {name}, please say {word} or press {digit}.",
    "please hold the line, {name} will be with you shortly.",
    "all our {plural} are busy at the moment.",
    "please leave a message after the {word}.",
    "thank you, {name}, have a nice {day}.",
    "I'm sorry, I didn't understand {any}.",
    "you said {any}, is that right?",
    "please enter the last {digit} digits of your {word} number.",
    "the flight to {place} leaves at {hour} {half} from gate {number}.",
    "we are {past} in {place} from {day} to {day}.",
    "the meeting with {name} has been moved to {hour} {half}.",
    "is {day} at {hour} {half} a good time for you?",
    "can I have your {word} number, please?",
    "yes.", "no.", "goodbye.", "one moment, please.", "thank you very much.",
    "yes, {name} is {going} it now.",
    "no, the {word} isn't {past} yet.",
    "there's a {word} at {number} {name} street.",
    "they've {past} the {word}, so we can't {word} it.",
    "I think that {name}'s {word} was {word},",
    "when the {plural} are {past},",
    "after {going} the {word} {manner},",
    "on {day} the {ordinal} of {month},",
    "we have received your {word}, and will call you back on {day}.",
    "could you tell me your {word} number again?",
    "how would you like to pay for the {plural}?",
    "where should we send the {word}?",
    "when will the {word} from {place} arrive?",
    "who is {name}, and what does she do in {place}?",
    "let me check that for you, it will only take a moment.",
    "just a second, I am looking for your {word} in our {plural}.",
    "I see that you called us on {day} about your {word}.",
    "unfortunately we cannot {word} it before {hour} {half}.",
    "the {word} will be open again on {day} at {hour} in the morning.",
    "our {plural} are here for you from {hour} to {hour}, every day of the week.",
    "all of our {plural} are helping other callers right now.",
    "you are caller number {number} in the line.",
    "your estimated waiting time is {number} minutes.",
    "if you know the name of the person, say it now.",
    "to repeat these options, press {digit}.",
    "for any other question, stay on the line.",
    "that was not a valid {word}, please try again.",
    "the person at extension {digits} is not there at the moment.",
    "your {word} has been changed, and your new one is {letters} {digits}.",
    "we have made a note of this, and somebody will write to you soon.",
    "the {word} is on the left of the {word}, behind the old {word}.",
    "every {word} needs a good {word} and a little {word}.",
    "some of them were {past}, but most of it was only {word}.",
    "he would rather have been {going} with his {plural} than here.",
    "it rained all {day}, so the {plural} stayed in the {word}.",
    "take the {ordinal} street on the right, then go straight on.",
    "I would have liked to talk about that with you and your {word}.",
    "as soon as we know more about the {plural},",
    "because of the {word} in {place},",
    "although she had never {past} a {word} like this,",
)  # fmt: skip

ENGLISH_SLOTS = {
    "place": "Boston, Chicago, Denver, Houston, Seattle, London, Paris, Berlin, Toronto, New York, Miami, Dublin",
    "day": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, today, tomorrow",
    "month": "January, February, March, April, May, June, July, August, September, October, November, December",
    "ordinal": (
        "first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh, twelfth, "
        "thirteenth, fourteenth, fifteenth, sixteenth, twentieth, twenty first, twenty third, thirtieth"
    ),
    "digit": "zero, one, two, three, four, five, six, seven, eight, nine, star, pound",
    "hour": "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve",
    "half": "o'clock, thirty, fifteen, forty five, twenty, A M, P M, thirty P M",
    "cents": "five, ten, twenty, fifty, sixty five, seventy eight, ninety nine, thirty three, eleven",
}

GERMAN = (
    "der {noun} und die {noun} {verb} das {noun}.",
    "wir {verb} den {noun} mit dem {noun}.",
    "die {noun} ist {any} und nicht {any}.",
    "sie {verb} am {day} nach {place}.",
    "{any}, {any}, {any}.",
    "{noun}.",
    "{noun} {noun}.",
    "{number}.",
    "{digits}.",
    "{letters}.",
    "ein {noun} wurde von der {noun} {any}.",
    "wenn Sie {noun} {verb}, drücken Sie die {digit}.",
    "können wir das {noun} {verb}?",
    "wollen Sie den {noun} am {day} {verb}?",
    "haben Sie {number} {noun}?",
    "was ist {any} an dieser {noun}?",
    "wo {verb} die {noun} heute?",
    "halt, die {noun}!",
    "Ihre Nummer ist {digits}.",
    "Ihr Code lautet {letters} {digits}.",
    "das kostet {number} Euro und {number} Cent.",
    "Ihr Termin ist am {day}, dem {ordinal} {month}.",
    "der Zug nach {place} fährt um {hour} Uhr {half} ab.",
    "guten Tag, hier ist {noun} in {place}.",
    "willkommen bei {noun} und {noun}.",
    "bitte bleiben Sie am Apparat, wir {verb} Sie gleich.",
    "vielen Dank für Ihren {noun}, auf Wiederhören.",
    "alle {noun} sind zurzeit belegt.",
    "bitte sprechen Sie nach dem {noun}.",
    "ich habe {any} nicht verstanden.",
    "bitte nennen Sie die letzten {digit} Ziffern Ihrer {noun}.",
    "Ihre Bestellung über {number} {noun} wurde am {day} versandt.",
    "ja.", "nein.", "einen Moment, bitte.", "auf Wiederhören.",
    "nein, der {noun} ist noch nicht {any},",
    "nachdem wir die {noun} {verb},",
    "am {day}, dem {ordinal} {month},",
    "es gibt {noun} in der {noun}, aber keine {noun}.",
    "das ist die {noun} von {name} aus {place}.",
    "{name} hat gestern einen {noun} nach {place} gebracht.",
    "ich glaube nicht, dass die {noun} {any} ist.",
    "ich möchte gern mit {name} über meine {noun} sprechen.",
    "mein Name ist {name}, ich rufe wegen der {noun} an.",
    "{name} ist heute nicht im Haus, kommt aber am {day} wieder.",
    "wie kann ich Ihnen mit dem {noun} helfen?",
    "wissen Sie, wann der {noun} aus {place} eintrifft?",
    "warum hat {name} die {noun} nicht {any}?",
    "wer ist {name}, und was macht er in {place}?",
    "wie viel kostet der {noun} für {number} Personen?",
    "welche {noun} brauchen Sie für Ihre {noun}?",
    "gibt es in {place} noch einen {noun}?",
    "soll ich Sie mit {name} oder mit der {noun} verbinden?",
    "wohin sollen wir die {noun} schicken?",
    "hat Ihnen der {noun} gefallen?",
    "passt Ihnen der {day} um {hour} Uhr {half}?",
    "darf ich Sie am {day} noch einmal anrufen?",
    "für {noun} drücken Sie die {digit}, für {noun} die {digit}.",
    "um mit {name} zu sprechen, sagen Sie jetzt {noun}.",
    "wenn Sie den Namen kennen, sagen Sie ihn nach dem {noun}.",
    "diese Nummer ist uns leider nicht bekannt.",
    "Ihre Eingabe war ungültig, versuchen Sie es noch einmal.",
    "Sie sind Anrufer Nummer {number} in der Warteschlange.",
    "die Wartezeit beträgt etwa {number} Minuten.",
    "unsere {noun} sind von {hour} bis {hour} Uhr für Sie da.",
    "wir sind vom {ordinal} bis zum {ordinal} {month} nicht erreichbar.",
    "leider können wir den {noun} erst am {day} liefern.",
    "Ihr {noun} wurde geändert, der neue lautet {letters} {digits}.",
    "auf Ihrem Konto sind {number} Euro und {number} Cent.",
    "die Rechnung vom {ordinal} {month} ist noch offen.",
    "wir haben uns den {noun} notiert und melden uns bald bei Ihnen.",
    "vor dem {noun} steht ein {noun}, dahinter liegt die {noun}.",
    "nehmen Sie die {ordinal} Straße links und gehen Sie dann geradeaus.",
    "früher war hier eine {noun}, heute ist es nur noch ein {noun}.",
    "es hat die ganze Nacht geschneit, deshalb blieben die {noun} zu Hause.",
    "im {month} blüht der {noun}, und die {noun} werden länger.",
    "morgen soll es in {place} windig und kalt werden.",
    "sie hat ihm viel von dem {noun} und seiner {noun} erzählt.",
    "er wollte lieber {verb}, als noch länger auf {name} zu warten.",
    "manche {noun} sind {any}, andere wirken {any}.",
    "kein {noun} ohne {noun}, sagt man in {place}.",
    "man kann einen {noun} nicht {verb}, ohne die {noun} zu {verb}.",
    "das {any} {noun} gehört zur {noun}.",
    "über {noun} und {noun} wurde viel geschrieben.",
    "drei {noun} saßen am {noun} und {any} {any}.",
    "obwohl {name} den {noun} schon kannte,",
    "sobald wir mehr über die {noun} wissen,",
    "weil der {noun} in {place} {any} war,",
    "dass Sie so lange auf Ihren {noun} warten mussten, tut uns leid.",
    "einen Augenblick noch, ich suche Ihre {noun} heraus.",
    "gern, ich schaue gleich nach, ob der {noun} da ist.",
    "{name}, {name} und {name}.",
    "{name} aus {place}.",
    "{name}, buchstabiert {letters}.",
    "schade, dass du nicht {verb} kannst!",
    "was für ein {any} {noun}!",
    "ruf mich bitte heute Abend an, {name}.",
    "gute Nacht, und bis {day}!",
)  # fmt: skip

GERMAN_SLOTS = {
    "place": "Berlin, Hamburg, München, Köln, Frankfurt, Stuttgart, Wien, Zürich, Leipzig, Dresden, Bremen",
    "day": "Montag, Dienstag, Mittwoch, Donnerstag, Freitag, Samstag, Sonntag",
    "month": "Januar, Februar, März, April, Mai, Juni, Juli, August, September, Oktober, November, Dezember",
    "name": (
        "Anna, Bernd, Claudia, Dieter, Elke, Frau Müller, Frau Schäfer, Frau Özdemir, Georg, Herr Becker, "
        "Herr Jäger, Herr Vogt, Ingrid, Jürgen, Katharina, Matthias, Renate, Sebastian, Ulrike, Wolfgang"
    ),
    "ordinal": "ersten, zweiten, dritten, vierten, fünften, siebten, achten, zehnten, zwölften, zwanzigsten",
    "digit": "null, eins, zwei, drei, vier, fünf, sechs, sieben, acht, neun, Stern, Raute",
    "hour": "ein, zwei, drei, vier, fünf, sechs, sieben, acht, neun, zehn, elf, zwölf",
    "half": "zehn, fünfzehn, zwanzig, dreißig, vierzig, fünfundvierzig",
}

VOCABULARY = tuple(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december today tomorrow yesterday morning evening afternoon night noon yes no
    hello goodbye please thanks help stop start cancel repeat again agent operator account balance payment bill
    number code password name address street city state country phone mobile message email letter order package
    delivery invoice receipt refund return price dollar cents euro credit card bank transfer loan insurance policy
    claim doctor nurse clinic hospital pharmacy appointment meeting office manager director service support
    technical internet computer printer keyboard screen camera battery boston chicago denver houston seattle
    london paris berlin toronto miami dublin texas florida ohio nevada john mary peter susan michael linda david
    sarah robert karen smith jones brown wilson taylor anderson thomas jackson flight train ticket station airport
    hotel room table kitchen window garden water coffee sugar bread butter cheese apple orange banana chicken
    dinner lunch breakfast red green blue yellow black white purple silver open close left right north south east
    west hurry slowly quickly maybe never always often after before between under question answer problem
    solution""".split()  # noqa: SIM905
)

GERMAN_VOCABULARY = tuple(
    """null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn
    siebzehn achtzehn neunzehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert
    tausend Million Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag Januar Februar März
    April Mai Juni Juli August September Oktober November Dezember heute morgen gestern abends mittags
    Nacht ja nein hallo bitte danke Hilfe halt weiter zurück abbrechen wiederholen noch Mitarbeiter
    Konto Guthaben Zahlung Rechnung Nummer Kennwort Name Adresse Straße Stadt Land Telefon Handy
    Nachricht Brief Bestellung Paket Lieferung Quittung Rückgabe Preis Euro Cent Kredit Karte Bank
    Überweisung Versicherung Vertrag Schaden Arzt Pflege Praxis Krankenhaus Apotheke Termin Treffen Büro
    Leitung Abteilung Dienst Auskunft Technik Internet Rechner Drucker Tastatur Bildschirm Kamera
    Batterie Berlin Hamburg München Köln Frankfurt Stuttgart Wien Zürich Leipzig Dresden Bremen Bayern
    Sachsen Hessen Anna Peter Susanne Michael Thomas Maria Stefan Petra Andreas Müller Schmidt Schneider
    Fischer Weber Wagner Becker Hoffmann Flug Zug Fahrkarte Bahnhof Flughafen Hotel Zimmer Tisch Küche
    Fenster Garten Wasser Kaffee Zucker Brot Butter Käse Apfel Orange Banane Hähnchen Abendessen
    Mittagessen Frühstück rot grün blau gelb schwarz weiß lila silbern öffnen schließen links rechts
    Norden Süden Osten Westen schnell langsam eilig vielleicht niemals immer oft nach vor zwischen unter
    Frage Antwort Problem Lösung""".split()  # noqa: SIM905
)
