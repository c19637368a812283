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
)  # fmt: skip

GERMAN_SLOTS = {
    "place": "Berlin, Hamburg, München, Köln, Frankfurt, Stuttgart, Wien, Zürich, Leipzig, Dresden, Bremen",
    "day": "Montag, Dienstag, Mittwoch, Donnerstag, Freitag, Samstag, Sonntag",
    "month": "Januar, Februar, März, April, Mai, Juni, Juli, August, September, Oktober, November, Dezember",
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
