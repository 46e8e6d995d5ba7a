"""What a posted form holds, for handlers that run in threads."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

MOST_FIELDS = 2_000


class Sent:
    """The fields of a form; a name may come several times."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str, longest: int = 10_000) -> str:
        """The last value of a field, without blanks around it; empty if it was not sent."""
        return self.raw(name, longest).strip()

    def raw(self, name: str, longest: int = 400_000) -> str:
        """The last value of a field as it was typed, with newlines as the server writes them."""
        return self._fields.get(name, [""])[-1][:longest].replace("\r\n", "\n")

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return self._fields.get(name, [])

    def numbers(self, name: str) -> list[int]:
        """All values of a field that are whole numbers above zero."""
        return [int(value) for value in self.all(name) if value.isascii() and value.isdigit() and len(value) < 19]

    def below(self, prefix: str) -> dict[str, str]:
        """The fields whose names begin so, without the beginning."""
        return {name.removeprefix(prefix): self.raw(name) for name in self._fields if name.startswith(prefix)}


async def _sent(request: Request) -> Sent:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return Sent({})
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return Sent(parse_qs(body, max_num_fields=MOST_FIELDS, keep_blank_values=True))
    except ValueError:
        raise HTTPException(413) from None


Form = Annotated[Sent, Depends(_sent)]
