"""What was typed into a connection's form, checked and stored: settings in its file, secrets sealed in the vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from connectors.errors import ConnectorError
from sync import audit
from sync.connecting import drafts, forms
from sync.connecting.forms import FormField
from sync.errors import Misused
from sync.language import Phrase
from sync.project import Project


def form_of(project: Project, connector: str) -> list[FormField]:
    """The fields of a connector's form. Raises BadConfiguration for a connector that cannot be loaded."""
    return forms.fields_of(project.registry.get(connector).config_model)


def read(
    project: Project, connector: str, typed: Mapping[str, str], before: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """``(settings, secrets that were typed, faults by field)``. A secret left empty stays what it was ``before``."""
    fields = form_of(project, connector)
    settings, faults = forms.read(fields, typed)
    told: dict[str, str] = dict(faults)
    secrets = {one.name: typed[one.name].strip() for one in fields if one.kind == "secret" and typed.get(one.name)}
    kept = {one.name: before[one.name] for one in fields if one.kind == "secret" and one.name in before}
    values = {**_plain(settings), **_resolved(project, {k: v for k, v in kept.items() if k not in secrets}), **secrets}
    try:
        project.registry.get(connector).config_model.model_validate(values)
    except ValidationError as error:
        told = {**forms.faults_by_field(error), **told}
    return {**settings, **kept}, secrets, told


def store_secrets(project: Project, name: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Seal secrets in the vault; answers the references that stand in the file instead."""
    if not secrets:
        return {}
    with project.database.transaction() as connection:
        for field, value in secrets.items():
            project.vault.put(connection, drafts.secret_name(name, field), value, by=audit.actor())
    return {field: f"vault:{drafts.secret_name(name, field)}" for field in secrets}


def rotate(project: Project, name: str, field: str, value: str) -> None:
    """Put another secret in the place of one that a form has stored. Raises Misused where it stands elsewhere."""
    reference = project.connection(name).settings.get(field)
    if reference != f"vault:{drafts.secret_name(name, field)}" or not value:
        raise Misused(
            "{field} of {name} is not stored here, or the new value is empty.",
            field=field[:60],
            name=name,
            remedy="Change it where the connection's file refers to.",
        )
    store_secrets(project, name, {field: value})


def needs_administrator(connector: str, settings: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """The settings that only an administrator may set, since they reach into the server or its network."""
    fields = forms.ADMINISTRATORS_ONLY.get(connector, frozenset())
    found = [field for field in sorted(fields) if settings.get(field)]
    return [*found, *(["allow_private"] if data.get("allow_private") else [])]


def secrets_of(project: Project, name: str) -> list[tuple[str, str]]:
    """The secret settings of a connection with where each stands: ``vault``, ``elsewhere`` or nowhere ("")."""
    connection = project.connection(name)
    try:
        fields = form_of(project, connection.connector)
    except ConnectorError:
        return []
    found = []
    for one in fields:
        if one.kind == "secret":
            reference = connection.settings.get(one.name)
            own = reference == f"vault:{drafts.secret_name(name, one.name)}"
            found.append((one.name, "" if reference is None else "vault" if own else "elsewhere"))
    return found


def every_of(text: str) -> str | None:
    """How often to sync, as it stands in the file. Raises Misused."""
    from sync.durations import seconds

    wanted = text.strip().lower() or "15m"
    try:
        seconds(wanted)
    except ValueError:
        raise Misused(
            "{value} is no interval.", value=wanted[:40], remedy=Phrase("Write it like 30s, 5m, 1h, 2d or never.")
        ) from None
    return wanted


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are once read back from the file: what was escaped, unescaped."""
    return {name: _unescaped(value) for name, value in settings.items()}


def _unescaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, Mapping):
        return {name: _unescaped(item) for name, item in value.items()}
    return [_unescaped(item) for item in value] if isinstance(value, list) else value


def _resolved(project: Project, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: project.resolved(value, name) for name, value in kept.items()}
