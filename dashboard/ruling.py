"""What the matching rules found of a pair: name, numbers and contacts compared, what forbids it, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sync.language import Phrase
from sync.matching.explaining import Explanation


class State(StrEnum):
    """Whether a comparison speaks for one customer, half so, against it, or not at all."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    SOFT = "soft"


MARKS = {State.GOOD: "✓", State.WARN: "~", State.BAD: "✗", State.SOFT: "·"}


class Compared(NamedTuple):
    """One comparison: what, how it came out, and the values that it is about, which are personal."""

    what: str
    state: State
    outcome: Phrase
    values: Sequence[str] = ()

    @property
    def mark(self) -> str:
        """The state as a sign: colour alone tells nobody."""
        return MARKS[self.state]


_NAMES = {
    "exact": (State.GOOD, Phrase("the same name")),
    "loose": (State.WARN, Phrase("similar names")),
    "unknown": (State.SOFT, Phrase("one of them has no name")),
    "different": (State.BAD, Phrase("different names")),
}
_NONE_SHARED = (State.SOFT, Phrase("none in common"))
_CONTACTS = {"e": "email", "p": "phone", "i": "number"}


def compared(found: Explanation) -> list[Compared]:
    """The comparisons behind a pair that was explained by the rules."""
    names = found.details.get("names") or {}
    state, outcome = _NAMES.get(str(names.get("agreement")), _NAMES["unknown"])
    both = [" · ".join(map(_readable, names.get(side, ()))) for side in ("left", "right")]
    rows = [Compared("name", state, outcome, [" ⟷ ".join(both)] if all(both) else [])]
    numbers = found.details.get("shared_identifiers", ())
    shared = (State.GOOD, Phrase("the same official number")) if numbers else _NONE_SHARED
    rows.append(Compared("identifiers", *shared, list(numbers)))
    rows += _contacts(found.details.get("shared_contacts", ()))
    return rows


def verdict(found: Explanation) -> Phrase:
    """Why the pair is, or is not, one customer, as a sentence with the place {rule}."""
    if found.veto:
        return Phrase("Something that they share would make them one, but a rule forbids it: {rule}.")
    if found.rule is None:
        return Phrase("No rule makes these two records one; other records of these customers brought them here.")
    if found.same_customer:
        return Phrase("The rule “{rule}” makes them one customer.")
    if found.rule.endswith("similar name"):
        return Phrase(
            "The rule “{rule}” holds between these two records. They stay apart, because with similar names every name "
            "of one customer must fit every name of the other, and some do not."
        )
    return Phrase(
        "The rule “{rule}” holds between these two records. They stay apart, because joining them would join records "
        "that a rule or a decision keeps apart."
    )


def _readable(form: str) -> str:
    """A name as it is compared, without the marks between its words."""
    return form.replace("|", " ").replace("~", "")


def _contacts(shared: Sequence[str]) -> list[Compared]:
    if not shared:
        return [Compared("contacts", *_NONE_SHARED)]
    return [
        Compared(_CONTACTS.get(one[:1], "contacts"), State.GOOD, Phrase("the same"), [one.partition(":")[2]])
        for one in shared
    ]
