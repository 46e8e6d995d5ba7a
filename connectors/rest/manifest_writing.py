"""The ``write`` part of a stream in a REST manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from connectors.manifest import Part
from connectors.rest.manifest_calls import Call, Params, one_or_more


class Send(Call):
    """A writing request. ``key`` is where the answer holds the record's key.

    ``wrap`` is the path in ``envelope`` (an empty object by default) under which the record is put; ``body`` are
    values the record has unless it says otherwise.
    """

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    wrap: str = ""
    envelope: Params = Field(default_factory=dict)
    key: str = ""


class Find(Call):
    """Looks for an existing record before one is created: the first record found is then updated.

    ``records`` may also lead to one object, the record itself. ``absent`` are statuses that mean there is none.
    """

    records: str | None = None
    key: str = ""
    absent: tuple[int, ...] = ()

    _several = field_validator("absent", mode="before")(one_or_more)


class Current(Call):
    """Shows a record before it is updated; ``record`` is where it stands in the answer.

    Nothing is sent where nothing differs, and a record that changed since we read it is a conflict. ``whole``: all of
    the record is sent with the changes in it, for systems whose update replaces; else only what differs.
    """

    record: str = ""
    whole: bool = False


class WriteBack(Part):
    """How records are written. A create must be safe to repeat: by a header, a look-up, or the system's upsert."""

    current: Current | None = None
    create: Send | None = None
    update: Send | None = None
    upsert: Send | None = None
    find: Find | None = None
    idempotency_header: str = ""
    expected_header: str = ""

    @model_validator(mode="after")
    def _repeatable(self) -> WriteBack:
        if not (self.create or self.update or self.upsert):
            raise ValueError("needs `create`, `update` or `upsert`")
        if self.create and not (self.idempotency_header or self.find or self.upsert):
            raise ValueError("`create` needs `idempotency_header` or `find`, or a repeated write makes duplicates")
        return self
