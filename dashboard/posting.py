"""What a page's form sent, fields that come several times included, and what is told when it cannot be done."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from dashboard.api import problems
from dashboard.rendering import language_of
from sync import language
from sync.errors import Misused, SyncError
from sync.stewardship.errors import MergeBlocked

MOST_FIELDS = 1_000
LONGEST = 400
"""Characters of a word (a name, an address); longer texts are asked for by ``text``."""


class Posted:
    """The fields of a form; everything is text, and nothing is longer than it may be."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def word(self, name: str, default: str = "") -> str:
        """A short text."""
        return self.text(name, LONGEST) or default

    def text(self, name: str, longest: int) -> str:
        """A text, without what is around it. Raises Misused for one that is too long."""
        value = self._fields.get(name, [""])[-1].strip()
        if len(value) > longest or "\x00" in value:
            raise Misused("The field {name} holds at most {longest} characters.", name=name, longest=longest)
        return value

    def many(self, name: str) -> list[str]:
        """All values of a field, without repeats."""
        return list(dict.fromkeys(value[:LONGEST] for value in self._fields.get(name, []) if value))

    def number(self, name: str) -> int | None:
        """A whole number from 0 on; None for nothing, or what is none."""
        value = self.word(name)
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    def has(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self._fields.get(name))


async def posted(request: Request) -> Posted:
    """The form of a request; the guard has capped its size, and ``Requires`` checked where it comes from."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return Posted({})
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return Posted(parse_qs(body, max_num_fields=MOST_FIELDS, keep_blank_values=True))
    except ValueError:
        raise Misused("The form holds more than {most} fields.", most=MOST_FIELDS) from None


Form = Annotated[Posted, Depends(posted)]


def status_of(error: SyncError) -> int:
    """The status that tells of an error."""
    return next((status for kind, status in problems.STATUS if isinstance(error, kind)), 400)


def told(request: Request, error: SyncError) -> list[str]:
    """What is wrong, everything that stands against a merge, and the remedy: sentences in the visitor's language."""
    chosen = language_of(request)
    message, remedy = language.told(error, chosen)
    against = error.blockers if isinstance(error, MergeBlocked) else ()
    sentences = [message, *(language.text(one.template, one.params, chosen) for one in against), remedy]
    return [sentence for sentence in sentences if sentence]
