"""What can go wrong in the engine's own house, as users see it: a message, a remedy, and a code.

Errors of systems outside are ``connectors.errors``, errors of mapping files ``mappings.errors``. All three
families carry ``code``, ``template``, ``remedy`` and ``params``; templates are English with ``{named}``
places and are the keys of the translation catalogue (see ``sync.language``). A faulty configuration file is
always a ``connectors.errors.BadConfiguration``, wherever it is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.errors import BadConfiguration, fill


class SyncError(Exception):
    """Base of the engine's errors. ``params`` never hold secrets or whole records."""

    code = "sync_error"
    default_remedy = "Run `kehu doctor` to see what is wrong."

    def __init__(self, template: str, *, remedy: str | None = None, **params: Any) -> None:
        self.template = template
        self.remedy = remedy if remedy is not None else self.default_remedy
        self.params = params
        super().__init__(fill(template, params))


class Misused(SyncError):
    """The user asked for something that cannot be: a wrong value, a combination that makes no sense."""

    code = "misused"
    default_remedy = "Add --help to the command to see what it accepts."


class NotFound(Misused):
    """There is no such connection, stream, run, customer or quarantined record."""

    code = "not_found"
    default_remedy = "Check the name; `kehu connection list` shows what is configured."


class Refused(SyncError):
    """The state of things forbids it now: already running, paused, needs a confirmation."""

    code = "refused"


class DatabaseUnavailable(SyncError):
    """The database cannot be reached or refuses us."""

    code = "database_unavailable"
    default_remedy = "Check `database:` in kehu.yaml and that the server runs, then run `kehu doctor`."


class BrokerUnavailable(SyncError):
    """Redis or Valkey cannot be reached. Nothing is lost: work waits in the database."""

    code = "broker_unavailable"
    default_remedy = "Check `broker:` in kehu.yaml, or start everything with `kehu up`."


class SchemaMismatch(SyncError):
    """The database's schema is not the one this program was made for."""

    code = "schema_mismatch"
    default_remedy = "Run `kehu db migrate`."


class SchemaNewer(SchemaMismatch):
    """The database was migrated by a newer version of the program."""

    code = "schema_newer"
    default_remedy = "Install the newer version of kehu again; an older one could damage the data."


class ConfigurationFaults(BadConfiguration):
    """Everything that is wrong with a configuration, at once. ``faults`` is never empty."""

    code = "configuration_faults"
    default_remedy = "Correct these places, then run `kehu doctor`."

    def __init__(self, file: str, faults: Sequence[BadConfiguration]) -> None:
        self.faults = list(faults)
        super().__init__("{file} has {count} faults.", file=file, count=len(self.faults))


def raise_faults(file: str, faults: Sequence[BadConfiguration]) -> None:
    """Raise a single fault as it is, several as one ``ConfigurationFaults``, none not at all."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise ConfigurationFaults(file, faults)
