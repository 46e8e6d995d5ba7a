"""Records at which the program itself failed: a few are set aside, many are no fault of the records."""

from __future__ import annotations

from collections import Counter

from sync.errors import SyncError
from sync.logs import Logger
from sync.master.deriving import Unforeseen
from sync.master.landing import Landed

MANY = 20
"""From so many records on, if they are more than half of those that were derived, the program is at fault."""

log = Logger(__name__)


class ProgramFault(SyncError):
    """The program fails at most records: it would set a whole stream aside."""

    code = "program_fault"
    default_remedy = (
        "Nothing of the page was stored. Report this with the worker's log, or go back to the last version."
    )


def check(landed: Landed, derived: int) -> None:
    """Tell the log where the program failed (never with what: it may be a record). Raises ProgramFault.

    ``derived``: so many records were mapped and made ready for matching, or set aside on the way.
    """
    met = [bad.error for bad in landed.rejections if isinstance(bad.error, Unforeseen)]
    if not met:
        return
    kinds = Counter((error.params["kind"], error.place) for error in met)
    for (kind, place), records in kinds.most_common(10):
        log.error("the program failed at records", kind=kind, place=place, records=records)
    if len(met) >= MANY and 2 * len(met) > derived:
        raise ProgramFault(
            "The program failed at {failed} of {derived} records: {kind}.",
            failed=len(met),
            derived=derived,
            kind=kinds.most_common(1)[0][0][0],
        )
