"""The companies that contact persons belong to, by name: values hold only the address of a company's record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from dashboard import showing
from sync.master import relatives
from sync.master.queries import CustomerView


def named(connection: Connection, goldens: Iterable[Mapping[str, Any]]) -> dict[str, CustomerView]:
    """The organisations that golden records name, by the address that a page would show instead of each."""
    return {_shown(address): one for address, one in relatives.organisations(connection, goldens).items()}


def names(companies: Mapping[str, CustomerView]) -> dict[str, str]:
    """What they are called, for ``Voice.companies``; who has no name is left out."""
    return {address: one.name for address, one in companies.items() if one.name}


def _shown(address: relatives.Address) -> str:
    return showing.record_of(dict(zip(("connection", "stream", "source_id", "part"), address, strict=True)))
