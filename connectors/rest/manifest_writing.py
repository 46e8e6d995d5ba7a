"""The ``write`` part of a stream in a REST manifest."""

from __future__ import annotations

from typing import Annotated, Literal

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
    """Shows a record before it is updated; ``record`` is where it stands in the answer, ``fields`` where in it those
    stand that are written.

    Nothing is sent where nothing differs, and a record that changed since we read it is a conflict. ``whole``: all of
    the record is sent with the changes in it, for systems whose update replaces; else only what differs.
    """

    record: str = ""
    fields: str = ""
    whole: bool = False


class Batch(Call):
    """Several records in one call, of which each has its own result.

    ``records`` is the path of their list in the body (empty: the body is the list). ``each`` is what stands around a
    record, which is put at ``wrap`` in it; its places are those of a write and ``{number}``, the record's own in this
    call. ``results`` is the list in the answer, in the order of the records or told apart by their number at
    ``number``; there ``key`` and ``new`` stand, or an ``error``. ``errors`` is a list apart, with numbers at
    ``error_number``. ``says`` is where an error holds its reason. ``unique`` must differ in one call. What the answer
    is silent about is written alone.
    """

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    max: Annotated[int, Field(ge=2)]
    records: str = ""
    each: Params = Field(default_factory=dict)
    wrap: str = ""
    results: str = ""
    number: str = ""
    key: str = ""
    new: str = ""
    error: str = ""
    errors: str = ""
    error_number: str = ""
    says: str = "message"
    unique: str = "{key}"

    @model_validator(mode="after")
    def _told_apart(self) -> Batch:
        if self.errors and not (self.number and self.error_number):
            raise ValueError("`errors` apart from `results` need `number` and `error_number` to be told apart")
        if (self.number or self.error_number) and "{number" not in str(self.each):
            raise ValueError("`number` needs {number} in `each`, where it is sent")
        return self


class Batches(Part):
    """How several records are written at once; what is missing here is written one by one."""

    create: Batch | None = None
    update: Batch | None = None
    upsert: Batch | None = None


class WriteBack(Part):
    """How records are written. A create must be safe to repeat: by a header, a look-up, or the system's upsert."""

    current: Current | None = None
    create: Send | None = None
    update: Send | None = None
    upsert: Send | None = None
    find: Find | None = None
    idempotency_header: str = ""
    expected_header: str = ""
    batch: Batches = Batches()

    @model_validator(mode="after")
    def _repeatable(self) -> WriteBack:
        if not (self.create or self.update or self.upsert):
            raise ValueError("needs `create`, `update` or `upsert`")
        if self.create and not (self.idempotency_header or self.find or self.upsert):
            raise ValueError("`create` needs `idempotency_header` or `find`, or a repeated write makes duplicates")
        return self

    @model_validator(mode="after")
    def _unseen(self) -> WriteBack:
        if self.batch.update and (self.current or self.expected_header):
            raise ValueError("`batch.update` writes without a look, so it goes with neither `current` nor a lock")
        if self.batch.create and self.create is None:
            raise ValueError("`batch.create` needs `create`, for records that are written alone")
        return self
