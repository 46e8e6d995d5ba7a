"""What a steward asked for and cannot have, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sync.errors import NotFound, Refused


class UnknownRecord(NotFound):
    """There is no live, resolved source record of this name."""

    code = "unknown_record"
    default_remedy = "Write it as CONNECTION/STREAM/KEY; `kehu master get` lists a customer's records."


class UnknownCustomer(NotFound):
    """The id was never issued, or nothing is left of the customer."""

    code = "unknown_customer"
    default_remedy = "Search by name with `kehu master search`."


class UnknownDecision(NotFound):
    """No steward's act has this number."""

    code = "unknown_decision"
    default_remedy = "`kehu steward log` lists what was decided."


class Contradicted(Refused):
    """An earlier decision that is in force says otherwise. ``decisions`` are the numbers of all that do."""

    code = "contradicts_a_decision"
    default_remedy = "Undo it first with `kehu steward undo {decision}`, if it was wrong."

    def __init__(self, template: str, *, decisions: Sequence[int], **params: Any) -> None:
        self.decisions = tuple(decisions)
        super().__init__(template, **params)


class AlreadySaid(Refused):
    """The same was decided before and is in force."""

    code = "already_decided"
    default_remedy = "Nothing to do."


class CannotUndo(Refused):
    """The act was taken back already, or is one that is not taken back."""

    code = "cannot_undo"
    default_remedy = "`kehu steward log` shows what is in force."


class Blocker(NamedTuple):
    """One reason why customers cannot be merged: a stable code, and an English template with its values."""

    code: str
    template: str
    params: dict[str, Any]


class MergeBlocked(Refused):
    """Customers cannot be merged. ``blockers`` are all the reasons."""

    code = "merge_blocked"
    default_remedy = "Remove the reasons that are named, then merge again."

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        self.blockers = tuple(blockers)
        super().__init__("The customers cannot be merged; reasons: {count}.", count=len(self.blockers))
