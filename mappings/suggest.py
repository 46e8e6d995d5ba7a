"""A first mapping file for unknown records, written of the guesses what their fields mean.

It is valid, with the guesses' reasons as comments, and to be corrected by a human.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mappings.guessing import KEEP, Guess, Phrase, guess
from mappings.synonyms import SYNONYMS

_LABELS = {
    "手机": "mobile",
    "手機": "mobile",
    "mobile": "mobile",
    "cell": "mobile",
    "传真": "fax",
    "傳真": "fax",
    "fax": "fax",
    "座机": "work",
    "固定": "work",
}
_PERSONS = (
    "patient",
    "member",
    "employee",
    "student",
    "guest",
    "donor",
    "收货人",
    "收件人",
    "姓名",
    "联系人",
    "聯絡人",
    "聯繫人",
    "full",
    "contact",
    "person",
)
"""Parts of the names of fields that hold the name of a person."""

Tell = Callable[[Phrase], str]


def suggest_mapping(records: Sequence[Mapping[str, Any]], *, kind: str | None = None, tell: Tell = str) -> str:
    """A mapping file for the records as YAML text, complete with a line for every field that is not used.

    ``tell`` gives the comments in the user's language.
    """
    guesses = guess(records)
    used = [one for one in guesses if one.target is not None and one.confidence >= KEEP]
    kind = kind or _kind(used)
    lines = [f"# {tell(Phrase('A first draft: check every line, then try it with `kehu mapping preview`.'))}"]
    own = [one for one in used if not (one.target or "").startswith("contact.")]
    contact = {_field(one): one for one in used if one not in own}
    if kind == "organisation" and "name" in contact:
        lines += _two_customers(_customer(kind, own, tell), contact, tell)
    else:
        contact.pop("name", None)
        lines += ["customer:", *_customer(kind, own, tell), *_role(contact, tell, kind == "person")]
    written = [*own, *contact.values()]
    for one in guesses:
        if one not in written:
            lines.append(f"  # {tell(Phrase('not used: {path}', {'path': _comment(one.path)}))}")
    return "\n".join(lines) + "\n"


def _customer(kind: str, found: list[Guess], tell: Tell) -> list[str]:
    """The fields of one customer."""
    lines = [f"  kind: {kind}"]
    if not any(one.target in ("name", "legal_name", "family_name", "emails", "phones", "identifiers") for one in found):
        about = tell(Phrase("nothing looks like a name, an email or a phone: put the right field here"))
        lines.append(f"  name: '@name'  # {about}")
    for target in dict.fromkeys(name.partition(".")[0] for name in SYNONYMS):
        lines.extend(_written(target, [one for one in found if (one.target or "").partition(".")[0] == target], tell))
    return lines


def _two_customers(organisation: list[str], contact: Mapping[str, Guess], tell: Tell) -> list[str]:
    """An organisation, and the person whom its record names beside it."""
    first, *others = organisation
    lines = ["customers:", f"  - {first.strip()}", *(f"  {line}" for line in others)]
    lines += ["  - part: contact", "    kind: person", f"    name: {_sourced(contact['name'], tell)}"]
    return lines + [f"  {line}" for line in _role(contact, tell)]


def _role(contact: Mapping[str, Guess], tell: Tell, wanted: bool = True) -> list[str]:
    """What a person is in their organisation, where a field tells it."""
    if "role" not in contact or not wanted:
        return []
    role = contact["role"]
    return [f"  organisation: {{role: {_scalar(role.path)}}}{_why(role, tell)}"]


def _kind(used: list[Guess]) -> str:
    targets = {one.target for one in used}
    names = [one.path.casefold() for one in used if one.target == "name"]
    person = any(word in name for name in names for word in _PERSONS) and "company" not in "".join(names)
    return "person" if person or {"given_name", "family_name", "birth_date"} & targets else "organisation"


def _written(target: str, found: list[Guess], tell: Tell) -> list[str]:
    if not found:
        return []
    if target == "addresses":
        found, lines = _housed(found, tell)
        lines += [_line(_field(one), one, tell) for one in found]
        entry = [f"    {'-' if i == 0 else ' '} {line}" for i, line in enumerate(lines)]
        return ["  addresses:", *entry] if entry else []  # a house number alone is no address
    if target == "external_ids":
        return [
            "  external_ids:",
            *(f"    id{i + 1 if i else ''}: {_scalar(one.path)}{_why(one, tell)}" for i, one in enumerate(found)),
        ]
    if target in ("emails", "phones", "identifiers"):
        return [f"  {target}:", *(f"    - {_listed(target, one)}{_why(one, tell)}" for one in found)]
    return [f"  {_line(target, one, tell)}" for one in found]


def _housed(found: list[Guess], tell: Tell) -> tuple[list[Guess], list[str]]:
    """Street and number in one text, in the order of the columns, as a line; the other fields of the address."""
    parts = [one for one in found if _field(one) in ("street", "house")]
    rest = [one for one in found if one not in parts]
    if "house" not in map(_field, parts):
        return found, []
    if len(parts) == 1:
        text = next((one for one in rest if _field(one) == "text"), None)
        if text is None:
            return rest, []
        rest.remove(text)
        parts = [one for one in found if one in (*parts, text)]
    paths = ", ".join(_scalar(one.path) for one in parts)
    return rest, [f"street: {{concat: [{paths}]}}{_why(parts[0], tell)}"]


def _listed(target: str, one: Guess) -> str:
    if target == "identifiers":
        return f"{{scheme: {one.scheme}, from: {_scalar(one.path)}}}"
    label = next((label for word, label in _LABELS.items() if word in one.path.casefold()), None)
    return f"{{from: {_scalar(one.path)}, label: {label}}}" if label and target == "phones" else _scalar(one.path)


def _field(one: Guess) -> str:
    return (one.target or "").partition(".")[2]


def _line(target: str, one: Guess, tell: Tell) -> str:
    return f"{target}: {_sourced(one, tell)}"


def _sourced(one: Guess, tell: Tell) -> str:
    source = _scalar(one.path)
    if one.format:
        source = f'{{from: {source}, do: [date: {{format: "{one.format}"}}], on_error: drop}}'
    return f"{source}{_why(one, tell)}"


def _why(one: Guess, tell: Tell) -> str:
    return f"  # {one.confidence:.0%}: {_comment(tell(one.reason))}"


def _scalar(path: str) -> str:
    return '"' + _comment(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
