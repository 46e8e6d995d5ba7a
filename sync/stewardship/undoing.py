"""Taking back what was decided."""

from __future__ import annotations

from sqlalchemy import Connection

from sync.stewardship import acts, consistency
from sync.stewardship.acts import Steward
from sync.stewardship.errors import CannotUndo


def undo(connection: Connection, by: Steward, decision: int) -> int:
    """Take an act back, in any order; what it had taken back holds again. Answers the number of the undo.

    Raises UnknownDecision, CannotUndo for one that is undone already or is an undo itself, Contradicted where what
    would hold again contradicts what was decided since.
    """
    number = acts.next_number(connection)
    target = acts.load(connection, decision)
    if target.undone_by is not None:
        later = acts.load(connection, target.undone_by)
        raise CannotUndo(
            "Decision {decision} is undone already: by {by} on {at} (decision {later}).",
            decision=target.id,
            by=later.by,
            at=f"{later.at:%Y-%m-%d}",
            later=later.id,
        )
    if target.act == acts.UNDO:
        raise CannotUndo(
            "Decision {decision} is an undo itself.", decision=target.id, remedy="Decide again what it took back."
        )
    restored = acts.restore(connection, target.id)
    touched = dict.fromkeys(acts.anchors(connection, [target.id, *restored]), 0)
    acts.write(connection, number, acts.UNDO, by, touched, target=target.id)
    acts.take_back(connection, [target.id], number)
    if restored:
        consistency.require(connection, touched, restored)
    return number
