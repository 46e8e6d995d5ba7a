"""A first mapping for unknown records: guessed from field names in English and Chinese, and from sample values.

Every guess has a confidence from 0 to 1; the text that comes out is a valid mapping file with the guesses' reasons as
comments, to be corrected by a human.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mappings.errors import RecordInvalid
from mappings.instants import moment_of, zone_named
from mappings.normalise.addresses import country_code
from mappings.normalise.emails import normalise_email
from mappings.normalise.identifiers import is_valid_uscc
from mappings.normalise.phones import normalise_phone
from mappings.paths import quoted
from mappings.synonyms import SYNONYMS
from mappings.targets import setter
from mappings.values import Convert, is_empty, text_of

MAX_RECORDS, MAX_FIELDS = 200, 400
KEEP = 0.5
_EXACT, _PART, _VALUES = 0.7, 0.45, 0.3
_FITTING = 0.6
"""Share of a field's sample values that have to read as what its target holds."""

_BY_NAME = {re.sub(r"[\W_]+", "", word): target for target, words in SYNONYMS.items() for word in words.split()}
_LABELS = {
    "手机": "mobile",
    "mobile": "mobile",
    "cell": "mobile",
    "传真": "fax",
    "fax": "fax",
    "座机": "work",
    "固定": "work",
}
_SINGLE = frozenset(SYNONYMS) - {"emails", "phones", "identifiers", "tags", "external_ids"}
_UTC = zone_named("UTC")
_CHECKED = {name: setter(name, _UTC) for name in ("birth_date", "status", "currency", "credit_limit")}
"""Targets whose values must read as what they are, or a record would be refused for them."""


class Guess(NamedTuple):
    """A field of the source and the canonical target it probably is (None: no idea), with the reason in words."""

    path: str
    target: str | None
    confidence: float
    reason: str


def guess(records: Sequence[Mapping[str, Any]]) -> list[Guess]:
    """A guess for every field of the records, in their order."""
    values: dict[str, list[Any]] = {}
    for record in records[:MAX_RECORDS]:
        for path, value in _flat(record):
            if path in values or len(values) < MAX_FIELDS:
                values.setdefault(path, []).append(value)
    guesses = [_guess(path, [value for value in found if not is_empty(value)]) for path, found in values.items()]
    return _one_per_target(guesses)


def suggest_mapping(records: Sequence[Mapping[str, Any]], *, kind: str | None = None) -> str:
    """A mapping file for the records as YAML text, complete with a line for every field that is not used."""
    guesses = guess(records)
    used = [one for one in guesses if one.target is not None and one.confidence >= KEEP]
    unused = [one.path for one in guesses if one not in used]
    lines = ["# A first draft: check every line, then try it with `kehu mapping preview`.", "customer:"]
    lines.append(f"  kind: {kind or _kind(used)}")
    if not any(one.target in ("name", "legal_name", "family_name", "emails", "phones", "identifiers") for one in used):
        lines.append("  name: '@name'  # nothing looks like a name, an email or a phone: put the right field here")
    for target in dict.fromkeys(name.partition(".")[0] for name in SYNONYMS):
        lines.extend(_written(target, [one for one in used if (one.target or "").partition(".")[0] == target]))
    lines.extend(f"  # not used: {_comment(path)}" for path in unused)
    return "\n".join(lines) + "\n"


def _flat(record: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            for inner, member in value.items():
                if not isinstance(member, Mapping | list):
                    yield f"{quoted(str(name))}.{quoted(str(inner))}", member
        elif not isinstance(value, list):
            yield quoted(str(name)), value


def _guess(path: str, values: list[Any]) -> Guess:
    name = re.sub(r"[\W_]+", "", path.rpartition(".")[2].casefold())
    target, score, reason = _by_name(name)
    kind, share = _by_values(values)
    if kind is not None and (target is None or target == kind):
        score = min(1.0, score + _VALUES + 0.3 * share) if target else 0.25 + 0.5 * share
        reason = f"{reason}, {share:.0%} of its values fit" if target else f"{share:.0%} of its values fit"
        return Guess(path, kind, round(score, 2), reason)
    if kind is not None and target is not None and kind in ("emails", "identifiers"):
        return Guess(
            path, kind, round(0.2 + 0.5 * share, 2), f"{share:.0%} of its values fit, though it is called otherwise"
        )
    misfit = target in ("emails", "source_created_at", "source_changed_at", "last_contact_at", "birth_date") and values
    if target in _CHECKED and values:
        share = sum(_reads(_CHECKED[target], value) for value in values[:50]) / len(values[:50])
        if share >= _FITTING:
            return Guess(path, target, round(min(1.0, score + _VALUES), 2), f"{reason}, {share:.0%} of its values fit")
        if name == "state":
            return Guess(path, "addresses.region", round(score, 2), reason)
        misfit = values
    return Guess(path, target, round(score - (0.3 if misfit else 0), 2), reason)


def _by_name(name: str) -> tuple[str | None, float, str]:
    target = _BY_NAME.get(name)
    if target is not None:
        return target, _EXACT, "known name"
    inside = [word for word in _BY_NAME if len(word) >= (2 if not word.isascii() else 4) and word in name]
    if inside:
        word = max(inside, key=len)
        return _BY_NAME[word], _PART + 0.2 * len(word) / len(name), f"holds “{word}”"
    return None, 0.0, "unknown name"


def _by_values(values: list[Any]) -> tuple[str | None, float]:
    texts = [text for value in values[:50] if (text := _text(value))]
    if not texts:
        return None, 0.0
    for target, fits in _VALUE_TESTS:
        share = sum(map(fits, texts)) / len(texts)
        if share >= _FITTING:
            return target, share
    return None, 0.0


def _text(value: Any) -> str | None:
    try:
        return text_of(value)
    except RecordInvalid:
        return None


def _is_email(text: str) -> bool:
    return "@" in text and normalise_email(text) is not None


def _is_phone(text: str) -> bool:
    bare = re.sub(r"[\s()+-]", "", text)
    if not bare.isdigit() or not 10 <= len(bare) <= 14:
        return False
    found = normalise_phone(text, "CN")
    return found is not None and found.valid


def _reads(convert: Convert, value: Any) -> bool:
    try:
        return convert(value) is not None
    except RecordInvalid:
        return False


def _is_website(text: str) -> bool:
    return text.startswith(("http://", "https://", "www."))


def _is_time(text: str) -> bool:
    try:
        return len(text) >= 15 and not text.isdigit() and moment_of(text, _UTC) is not None
    except RecordInvalid:
        return False


def _is_country(text: str) -> bool:
    return len(text) == 2 and text.isupper() and country_code(text) is not None


_VALUE_TESTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("emails", _is_email),
    ("identifiers", lambda text: is_valid_uscc(text.upper())),
    ("phones", _is_phone),
    ("website", _is_website),
    ("source_changed_at", _is_time),
    ("addresses.country", _is_country),
)


def _one_per_target(guesses: list[Guess]) -> list[Guess]:
    """Of several fields for a target that takes one, the likeliest; the first of equals."""
    best: dict[str, Guess] = {}
    for one in guesses:
        if one.target in _SINGLE and (one.target not in best or one.confidence > best[one.target].confidence):
            best[one.target] = one
    return [
        one
        if one.target not in _SINGLE or best[one.target] is one
        else Guess(one.path, None, 0.0, "another field fits better")
        for one in guesses
    ]


def _kind(used: list[Guess]) -> str:
    targets = {one.target for one in used}
    return "person" if {"given_name", "family_name", "birth_date"} & targets else "organisation"


def _written(target: str, found: list[Guess]) -> list[str]:
    if not found:
        return []
    if target == "addresses":
        return [
            "  addresses:",
            *(f"    {'-' if i == 0 else ' '} {_line(_field(one), one)}" for i, one in enumerate(found)),
        ]
    if target == "external_ids":
        return [
            "  external_ids:",
            *(f"    id{i + 1 if i else ''}: {_scalar(one.path)}{_why(one)}" for i, one in enumerate(found)),
        ]
    if target in ("emails", "phones", "identifiers"):
        return [f"  {target}:", *(f"    - {_listed(target, one)}{_why(one)}" for one in found)]
    return [f"  {_line(target, one)}" for one in found]


def _listed(target: str, one: Guess) -> str:
    if target == "identifiers":
        return f"{{scheme: {_scheme(one.path)}, from: {_scalar(one.path)}}}"
    label = next((label for word, label in _LABELS.items() if word in one.path.casefold()), None)
    return f"{{from: {_scalar(one.path)}, label: {label}}}" if label and target == "phones" else _scalar(one.path)


def _scheme(path: str) -> str:
    name = path.casefold()
    schemes = {"vat": "eu.vat", "duns": "duns", "ein": "us.ein", "siret": "fr.siret"}
    return next((scheme for word, scheme in schemes.items() if word in name), "cn.uscc")


def _field(one: Guess) -> str:
    return (one.target or "").partition(".")[2]


def _line(target: str, one: Guess) -> str:
    return f"{target}: {_scalar(one.path)}{_why(one)}"


def _why(one: Guess) -> str:
    return f"  # {one.confidence:.0%}: {_comment(one.reason)}"


def _scalar(path: str) -> str:
    return '"' + _comment(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
