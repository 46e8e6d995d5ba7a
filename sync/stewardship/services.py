"""What the command line and the dashboard may ask of stewardship: one list of names, made elsewhere.

Functions that take a ``Connection`` write an act down and do not commit. ``carry_out`` runs one of them and makes it
take effect at once; ``rehearse`` says what would become of it, and changes nothing.
"""

from sync.stewardship.acts import Steward
from sync.stewardship.blockers import Precheck, precheck
from sync.stewardship.deciding import VERDICTS, Verdict, decide
from sync.stewardship.effect import Engine, Outcome, carry_out, rehearse
from sync.stewardship.errors import (
    AlreadySaid,
    Blocker,
    CannotUndo,
    Contradicted,
    MergeBlocked,
    UnknownCustomer,
    UnknownDecision,
    UnknownRecord,
)
from sync.stewardship.log import Entry, log
from sync.stewardship.merging import exclude, merge, unmerge
from sync.stewardship.pinning import PINNABLE, STRUCTURED, PinView, pin, pins, unpin
from sync.stewardship.records import CustomerRef, SourceRef, find_customer, find_record
from sync.stewardship.review import Candidate, Place, Side, queue
from sync.stewardship.undoing import undo

__all__ = [
    "PINNABLE",
    "STRUCTURED",
    "VERDICTS",
    "AlreadySaid",
    "Blocker",
    "Candidate",
    "CannotUndo",
    "Contradicted",
    "CustomerRef",
    "Engine",
    "Entry",
    "MergeBlocked",
    "Outcome",
    "PinView",
    "Place",
    "Precheck",
    "Side",
    "SourceRef",
    "Steward",
    "UnknownCustomer",
    "UnknownDecision",
    "UnknownRecord",
    "Verdict",
    "carry_out",
    "decide",
    "exclude",
    "find_customer",
    "find_record",
    "log",
    "merge",
    "pin",
    "pins",
    "precheck",
    "queue",
    "rehearse",
    "undo",
    "unmerge",
    "unpin",
]
