"""How good a connector is: rules that its author ticks in ``quality.yaml``, shown as a grade.

The idea is Home Assistant's quality scale: every rule is ``done``, ``todo`` or exempt *with a reason*, so
that what is missing is as visible as what is there::

    rules:
      full_read: done
      write_back: {todo: needs a test account}
      webhooks: {exempt: the system sends none}
    unverified:
      - the code of an expired token is not documented

Reasons and what follows are texts, or ``{en: …, zh: …}`` where they are told in both languages.

``unverified`` lists what could not be tried on the real system: what to look at first when something is odd there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from connectors.documents import load_document, nearest, stamp

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

MIN_REASON, LONGEST = 5, 300

_LEVEL = {rule: grade for grade, rules in RULES.items() for rule in rules}


class Said(NamedTuple):
    """What an author says, in English and where given in Chinese too."""

    en: str
    zh: str = ""

    def to(self, language: str) -> str:
        """The text in ``language`` (a tag such as ``zh-CN``); English for any language there is no text in."""
        return self.zh if self.zh and language.lower().startswith("zh") else self.en

    def __str__(self) -> str:
        return self.en


NOTHING = Said("")


def _text(said: Any) -> Said | None:
    """A text in one or both languages; None for anything else."""
    given = said if isinstance(said, Mapping) else {"en": said}
    if not {"en"} <= set(given) <= {"en", "zh"} or not all(isinstance(text, str) for text in given.values()):
        return None
    return Said(**given) if MIN_REASON <= len(given["en"]) <= LONGEST and len(given.get("zh", "")) <= LONGEST else None


class _Scale(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)
    rules: dict[str, Any]
    unverified: list[Any] = []

    @field_validator("unverified")
    @classmethod
    def _told(cls, notes: list[Any]) -> list[Said]:
        found = [_text(note) for note in notes]
        if None in found:
            raise ValueError(f"each must be a text of {MIN_REASON} to {LONGEST} letters, or {{en: …, zh: …}} of such")
        return [said for said in found if said is not None]

    @field_validator("rules")
    @classmethod
    def _understood(cls, rules: dict[str, Any]) -> dict[str, Any]:
        for rule, said in rules.items():
            if rule not in _LEVEL:
                meant = nearest(rule, list(_LEVEL))
                raise ValueError(f"there is no rule {rule}; nearest: {meant or 'none'}")
            if _said(said) is None:
                raise ValueError(
                    f"{rule} must be done, todo, {{todo: reason}} or {{exempt: reason}}; a reason of at least"
                    f" {MIN_REASON} letters, in quotes if it holds a comma"
                )
        return rules


def _said(said: Any) -> tuple[Status, Said] | None:
    """What an author says of a rule; None if it cannot be understood."""
    if said in ("done", "todo"):
        return Status(said), NOTHING
    if not isinstance(said, Mapping) or len(said) != 1:
        return None
    ((status, given),) = said.items()
    reason = _text(given)
    return None if status not in ("todo", "exempt") or reason is None else (Status(status), reason)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule of one connector. ``reason`` is there for exempt rules, and for open ones where given."""

    rule: str
    level: Grade
    status: Status
    reason: Said = NOTHING


@dataclass(frozen=True, slots=True)
class Quality:
    """All rules of one connector; a rule that its file does not name is open. ``unverified``: see above."""

    verdicts: tuple[Verdict, ...]
    unverified: tuple[Said, ...] = ()

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
    known = stamp(path)
    return _read(path) if known is None else _kept(path, known)


@lru_cache(maxsize=256)
def _kept(path: Path, _stamp: tuple[int, int, int]) -> Quality:
    return _read(path)


def _read(path: Path) -> Quality:
    scale = load_document(path).validate(_Scale)
    verdicts = (_verdict(rule, level, scale.rules.get(rule, "todo")) for rule, level in _LEVEL.items())
    return Quality(tuple(verdicts), tuple(scale.unverified))


def _verdict(rule: str, level: Grade, said: Any) -> Verdict:
    status, reason = _said(said) or (Status.TODO, NOTHING)
    return Verdict(rule, level, status, reason)
