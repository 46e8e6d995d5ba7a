"""What the fields of unknown records probably mean: guessed from their English or Chinese names and sample values.

Every guess has a confidence from 0 to 1 and a reason; ``mappings.suggest`` writes a mapping file of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mappings.errors import RecordInvalid
from mappings.instants import zone_named
from mappings.looks import FITTING, LOOKED_AT, are_honorifics, are_states, is_european_vat, look, year_last_format
from mappings.normalise.scripts import fold, has_han, simplify
from mappings.paths import quoted
from mappings.synonyms import QUALIFIERS, SYNONYMS, WHOLE
from mappings.targets import setter
from mappings.values import Convert, is_empty

MAX_RECORDS, MAX_FIELDS = 200, 400
KEEP = 0.5
"""A guess below this is none."""
_EXACT, _QUALIFIED, _PART, _VALUES = 0.7, 0.65, 0.45, 0.3

_BY_NAME = {re.sub(r"[\W_]+", "", word): target for target, words in SYNONYMS.items() for word in words.split()}
_WHOLE = {word: target for target, words in WHOLE.items() for word in words.split()} | _BY_NAME
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SINGLE = frozenset(SYNONYMS) - {"emails", "phones", "identifiers", "tags", "external_ids"}
_PROVEN = frozenset({"emails", "identifiers"})
"""What values prove by themselves, whatever their field is called."""
_SCHEMES = {
    "vat": "eu.vat",
    "duns": "duns",
    "ein": "us.ein",
    "siret": "fr.siret",
    "nhs": "gb.nhs",
    "身份证": "cn.ric",
    "統一編號": "tw.ubn",
    "统一编号": "tw.ubn",
}
_PERSONAL = ("soc", "ssn", "insurance", "passport", "licen", "medic", "mrn", "national", "nino", "nric", "sozial",
             "ausweis", "idcard", "sin", "证件", "护照", "社保", "社会保障")  # fmt: skip
"""Parts of the names of fields that hold a person's number of a scheme that we cannot check."""
_SURNAMES = frozenset({"name", "nom", "nome", "nombre", "naam"})
_UTC = zone_named("UTC")
_TIMES = ("source_created_at", "source_changed_at", "last_contact_at", "birth_date")
_CHECKED = {name: setter(name, _UTC) for name in (*_TIMES, "status", "currency", "credit_limit")}
"""Targets whose values must read as what they are, or a record would be refused for them."""


class Phrase(NamedTuple):
    """A text for people: an English template with {places}, to be translated by whoever shows it."""

    template: str
    params: Mapping[str, str] = {}

    def __str__(self) -> str:
        """In English."""
        return self.template.format_map(self.params)


class Guess(NamedTuple):
    """A field of the source and the canonical target it probably is (None: no idea), with the reason.

    ``contact.name`` and ``contact.role`` are a person beside the organisation of the same record.
    """

    path: str
    target: str | None
    confidence: float
    reason: Phrase
    scheme: str = ""
    """Of identifiers, where name or values tell it."""
    format: str = ""
    """Of dates of birth with the year last (strptime's), where the values together tell day from month."""


class _Name(NamedTuple):
    """What a field's name says: the target, how surely, and the word that was known ("" for the whole name)."""

    target: str | None
    score: float
    word: str = ""

    def reason(self, share: float | None = None) -> Phrase:
        """Why the target was chosen, with the share of values that fit it."""
        fit = {"word": self.word, "share": "" if share is None else f"{share:.0%}"}
        if self.target is None:
            return Phrase("unknown name") if share is None else Phrase("{share} of its values fit", fit)
        if self.word:
            if share is None:
                return Phrase("its name holds “{word}”", fit)
            return Phrase("its name holds “{word}”, {share} of its values fit", fit)
        return Phrase("known name") if share is None else Phrase("known name, {share} of its values fit", fit)


def guess(records: Sequence[Mapping[str, Any]]) -> list[Guess]:
    """A guess for every field of the records, in their order."""
    values: dict[str, list[Any]] = {}
    for record in records[:MAX_RECORDS]:
        for path, value in _flat(record):
            if path in values or len(values) < MAX_FIELDS:
                values.setdefault(path, []).append(value)
    guesses = [_schemed(path, [value for value in found if not is_empty(value)]) for path, found in values.items()]
    return _contact_alone(_halves(_one_per_target(guesses)))


def _flat(record: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            for inner, member in value.items():
                if not isinstance(member, Mapping | list):
                    yield f"{quoted(str(name))}.{quoted(str(inner))}", member
        elif not isinstance(value, list):
            yield quoted(str(name)), value


def _schemed(path: str, values: list[Any]) -> Guess:
    one = _guess(path, values)
    if one.target == "birth_date":
        return one._replace(format=year_last_format(values))
    return one._replace(scheme=_scheme(path.casefold(), values)) if one.target == "identifiers" else one


def _guess(path: str, values: list[Any]) -> Guess:
    last = path.rpartition(".")[2]
    plain = _plain(last)
    name, (kind, share) = _by_name(plain, last), look(values)
    if name.target == "contact.role" and are_honorifics(values):
        return Guess(path, None, 0.0, Phrase("forms of address"))
    if name.target in (None, "status", "addresses.country") and are_states(values):
        return Guess(path, "addresses.region", _EXACT, Phrase("states of the USA"))
    if kind is not None and kind == name.target:
        return Guess(path, kind, _rounded(name.score + _VALUES + 0.3 * share), name.reason(share))
    if name.target is None and kind is not None:
        return Guess(path, kind, _rounded(0.25 + 0.5 * share), name.reason(share))
    if kind in _PROVEN:
        other = Phrase("{share} of its values fit, though it is called otherwise", {"share": f"{share:.0%}"})
        return Guess(path, kind, _rounded(0.2 + 0.5 * share), other)
    if name.target in _CHECKED and values:
        return _checked(path, plain, name, values[:LOOKED_AT])
    misfit = name.target == "emails" and values
    return Guess(path, name.target, _rounded(name.score - (0.3 if misfit else 0)), name.reason())


def _checked(path: str, plain: str, name: _Name, values: Sequence[Any]) -> Guess:
    """A guess whose values have to read as the target says."""
    share = sum(_reads(_CHECKED[name.target or ""], value) for value in values) / len(values)
    if name.target == "birth_date" and year_last_format(values):
        share = 1.0
    if share >= FITTING:
        return Guess(path, name.target, _rounded(name.score + _VALUES), name.reason(share))
    if plain == "state":
        return Guess(path, "addresses.region", _rounded(name.score), name.reason())
    return Guess(path, name.target, _rounded(name.score - 0.3), name.reason())


def _scheme(name: str, values: Sequence[Any]) -> str:
    """The scheme of an identifier by its field's name, else by the values themselves, else that of China."""
    named = next((scheme for word, scheme in _SCHEMES.items() if word in name), None)
    texts = [value for value in values[:LOOKED_AT] if isinstance(value, str)]
    european = sum(map(is_european_vat, texts)) >= FITTING * max(1, len(texts))
    if named or european:
        return named or "eu.vat"
    plain = _plain(name)
    return f"file.{fold(plain).replace(' ', '')[:30]}" if any(word in plain for word in _PERSONAL) else "cn.uscc"


def _rounded(score: float) -> float:
    return round(min(1.0, score), 2)


def _plain(name: str) -> str:
    """A field's name in comparable form: Han simplified, other letters without accents and signs."""
    folded = simplify(name.casefold()) if has_han(name) else fold(name.replace("ß", "ss"))
    return re.sub(r"[\W_]+", "", folded)


def _by_name(name: str, written: str) -> _Name:
    target = _WHOLE.get(name)
    if target is not None:
        return _Name(target, _EXACT)
    bare = "" if has_han(written) else _unqualified(written)
    if bare in _WHOLE:
        return _Name(_WHOLE[bare], _QUALIFIED, bare)
    inside = [word for word in _BY_NAME if len(word) >= (2 if not word.isascii() else 4) and word in name]
    if inside:
        word = max(inside, key=len)
        return _Name(_BY_NAME[word], _PART + 0.2 * len(word) / len(name), word)
    return _Name(None, 0.0)


def _unqualified(written: str) -> str:
    """The name without words like "mailing" in front and "no" behind."""
    words = [word.lower() for word in _WORDS.findall(written)]
    while words and words[0] in QUALIFIERS:
        words = words[1:]
    while words and words[-1] in QUALIFIERS:
        words = words[:-1]
    return "".join(words)


def _reads(convert: Convert, value: Any) -> bool:
    try:
        return convert(value) is not None
    except RecordInvalid:
        return False


def _one_per_target(guesses: list[Guess]) -> list[Guess]:
    """Of several fields for a target that takes one, the likeliest; the first of equals."""
    best: dict[str, Guess] = {}
    for one in guesses:
        if one.target in _SINGLE and (one.target not in best or one.confidence > best[one.target].confidence):
            best[one.target] = one
    return [
        one
        if one.target not in _SINGLE or best[one.target] is one
        else Guess(one.path, None, 0.0, Phrase("another field fits better"))
        for one in guesses
    ]


def _halves(guesses: list[Guess]) -> list[Guess]:
    """Beside a given name alone "Name" is the family name ("Name, Vorname", "Nom, Prénom")."""
    named = {one.target for one in guesses if one.confidence >= KEEP}
    if "given_name" not in named or "family_name" in named:
        return guesses
    whole = [one for one in guesses if one.target == "name" and _plain(one.path) in _SURNAMES]
    return [one._replace(target="family_name") if one in whole else one for one in guesses]


def _contact_alone(guesses: list[Guess]) -> list[Guess]:
    """A contact's name is the customer's own where the record names nobody else."""
    named = {one.target for one in guesses if one.confidence >= KEEP}
    if not named.isdisjoint(("name", "legal_name", "given_name", "family_name")):
        return guesses
    return [one._replace(target="name") if one.target == "contact.name" else one for one in guesses]
