"""The parts of the manifest language that describe one request."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from connectors.manifest import Part

Scalar = str | int | float | bool | None
Params = dict[str, Any]


def one_or_more(value: Any) -> Any:
    """A single value as a list of one: what authors write where several are allowed."""
    return value if isinstance(value, list | tuple) else [value]


class Call(Part):
    """One kind of request. Texts may hold places, see ``connectors.rest.templates``."""

    path: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    params: Params = Field(default_factory=dict)
    body: Params | None = None
    headers: dict[str, str] = Field(default_factory=dict)


class Check(Call):
    """What proves that the login works; ``says`` is the path of whom the system takes us for."""

    says: str = ""


class One(Call):
    """Shows one record, whose key is ``{key}``: what a webhook hints at is read again with it.

    ``record`` is where it stands in the answer, alone or as the only one of a list; an empty list, null and the
    statuses ``absent`` mean that there is none.
    """

    record: str = ""
    absent: tuple[int, ...] = (404, 410)

    _several = field_validator("absent", mode="before")(one_or_more)
