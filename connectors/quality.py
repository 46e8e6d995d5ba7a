"""How good a connector is: rules that its author ticks in ``quality.yaml``, shown as a grade.

The idea is Home Assistant's quality scale: every rule is ``done``, ``todo`` or exempt *with a reason*, so
that what is missing is as visible as what is there::

    rules:
      full_read: done
      write_back: {todo: needs a test account}
      webhooks: {exempt: the system sends none}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

from connectors.documents import load_document, nearest

QUALITY_NAME = "quality.yaml"


class Grade(StrEnum):
    """The highest level of which all rules, and all of the levels below, are done or exempt."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Status(StrEnum):
    """What the author says of one rule."""

    DONE = "done"
    TODO = "todo"
    EXEMPT = "exempt"


RULES: Mapping[Grade, Mapping[str, str]] = {
    Grade.BRONZE: {
        "conformance": "The conformance suite passes.",
        "check": "The check logs in and names the setting that is wrong.",
        "full_read": "Every record is read, with a stable key.",
        "errors": "Every fault of the system is raised as one of the connector errors.",
        "secrets": "Secrets are typed as secrets and appear in no text.",
        "config_help": "Every setting has a help text.",
        "readme": "The README tells how to get credentials, what is synced, limits and how to remove it.",
    },
    Grade.SILVER: {
        "incremental": "Only what changed is read, with a look-back for late commits.",
        "resume": "A read goes on from any page after a crash.",
        "deletes": "Deletes become known, by a feed or by a sweep.",
        "rate_budget": "Calls stay within the vendor's limits and honour its requests to wait.",
        "default_mapping": "A default mapping to the customer is shipped.",
        "chinese": "All texts are there in Chinese too.",
    },
    Grade.GOLD: {
        "write_back": "Records are created and updated, safely repeatable.",
        "webhooks": "Inbound webhooks are verified and shorten the delay.",
        "real_system": "The tests run against the real system.",
        "volume": "A read of 100,000 records was measured.",
    },
}

_LEVEL = {rule: grade for grade, rules in RULES.items() for rule in rules}

_Reason = Annotated[str, StringConstraints(min_length=5, max_length=300)]


class Todo(BaseModel):
    """A rule that is open, with what it waits for."""

    model_config = ConfigDict(extra="forbid")
    todo: _Reason


class Exempt(BaseModel):
    """A rule that does not apply, with the reason."""

    model_config = ConfigDict(extra="forbid")
    exempt: _Reason


class _Scale(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rules: dict[str, Literal["done", "todo"] | Todo | Exempt]

    @field_validator("rules")
    @classmethod
    def _known(cls, rules: dict[str, Any]) -> dict[str, Any]:
        for rule in rules:
            if rule not in _LEVEL:
                raise ValueError(f"there is no rule {rule}; nearest: {nearest(rule, list(_LEVEL)) or 'none'}")
        return rules


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule of one connector. ``reason`` is there for exempt rules, and for open ones where given."""

    rule: str
    level: Grade
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """All rules of one connector; a rule that its file does not name is open."""

    verdicts: tuple[Verdict, ...]

    @property
    def grade(self) -> Grade:
        """The grade these verdicts earn."""
        earned = Grade.NONE
        for level in RULES:
            if any(v.status is Status.TODO for v in self.verdicts if v.level is level):
                break
            earned = level
        return earned

    def open(self) -> tuple[Verdict, ...]:
        """What is still to do, lowest level first."""
        return tuple(v for v in self.verdicts if v.status is Status.TODO)


def load_quality(folder: Path) -> Quality | None:
    """The scale in a connector's folder, None without one; raises BadConfiguration for a wrong file."""
    path = folder / QUALITY_NAME
    if not path.is_file():
        return None
    rules = load_document(path).validate(_Scale).rules
    return Quality(tuple(_verdict(rule, level, rules.get(rule, "todo")) for rule, level in _LEVEL.items()))


def _verdict(rule: str, level: Grade, said: str | Todo | Exempt) -> Verdict:
    if isinstance(said, Exempt):
        return Verdict(rule, level, Status.EXEMPT, said.exempt)
    if isinstance(said, Todo):
        return Verdict(rule, level, Status.TODO, said.todo)
    return Verdict(rule, level, Status(said))
