"""A connector's settings as the fields of a form, and what was typed into them as settings.

Made from the connector's pydantic model. Secrets are never shown again; whatever is typed is taken literally: a form
cannot refer to the server's environment or files.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors.errors import BadConfiguration, BadCredentials, ConnectorError, RetryLater
from sync import language
from sync.faults import reason
from sync.language import Phrase

LONGEST = 50_000
SCHEMES = ("file:", "keyring:", "vault:")
ADMINISTRATORS_ONLY = {"files": frozenset({"outside"}), "sql": frozenset({"url"})}
"""Settings with which a connector can read what belongs to the server itself."""
_FIRST = frozenset({"login", "auth", "authentication", "edition", "environment", "region"})
"""Settings with a default that nevertheless come first: others depend on them."""
_WHERE = ("url", "host", "address", "server", "shop", "domain", "instance")
_WHO = ("user", "login", "account", "email", "client_id", "app_id", "app_key")


@dataclass(frozen=True, slots=True)
class FormField:
    """One setting. ``kind``: text, secret, number, choice, yes_no, lines (a list) or yaml (anything deeper)."""

    name: str
    kind: str
    help: str
    help_zh: str | None
    required: bool
    choices: tuple[str, ...] = ()
    default: str = ""
    example: str = ""
    advanced: bool = False

    def told(self, chosen: str) -> str:
        """The help in a language."""
        return self.help_zh if chosen == "zh" and self.help_zh else language.text(self.help, {}, chosen)


class Unreadable(Exception):
    """What was typed into a field cannot be read at all."""

    def __init__(self, reason: Phrase) -> None:
        super().__init__(str(reason))
        self.reason = reason


def fields_of(model: type[BaseModel]) -> list[FormField]:
    """The fields of a form, in the model's order; those with a default come as ``advanced``."""
    found = [_field(info.alias or name, info) for name, info in model.model_fields.items()]
    return [replace(one, advanced=one.advanced and bool(index)) for index, one in enumerate(found)]


def shown(fields: Sequence[FormField], settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings as the form shows them; secrets are left out."""
    return {one.name: _as_text(settings[one.name], one.kind) for one in fields if _is_shown(one, settings)}


def read(fields: Sequence[FormField], typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Phrase]]:
    """The settings that were typed (without secrets), and what could not be read, by field. Empty means default."""
    settings: dict[str, Any] = {}
    faults: dict[str, Phrase] = {}
    for one in fields:
        text = typed.get(one.name, "")[:LONGEST].strip()
        if one.kind == "secret" or not text:
            continue
        try:
            settings[one.name] = _literal(_read(one.kind, text))
        except Unreadable as error:
            faults[one.name] = error.reason
    return settings, faults


def faults_by_field(error: ValidationError) -> dict[str, str]:
    """What is wrong, by the name of the field; "" for what concerns several."""
    found: dict[str, str] = {}
    for details in error.errors(include_url=False):
        place = details["loc"]
        missing = details["type"] == "missing"
        found.setdefault(str(place[0]) if place else "", Phrase("it is needed") if missing else reason(details))
    return found


def blamed(fields: Sequence[FormField], error: ConnectorError, given: Collection[str] = ()) -> list[str]:
    """The fields that a failed test points at: what the error names, else those that such an error speaks of.

    ``given`` are the fields that have a value: what was left empty was not refused.
    """
    names = [one.name for one in fields]
    setting = getattr(error, "setting", None)
    if isinstance(error, BadConfiguration) and setting:
        parts = str(setting).split(".")
        return [name for name in names if name in parts][:1]
    if isinstance(error, BadCredentials):
        asked = [one.name for one in fields if one.kind == "secret" or _is_like(one.name, _WHO)]
        return [name for name in asked if name in given] or asked
    if isinstance(error, RetryLater):
        return [name for name in names if _is_like(name, _WHERE)][:1]
    return []


def _field(name: str, info: FieldInfo) -> FormField:
    kind, choices = _kind(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    chinese = extra.get("zh")
    required = info.is_required()
    default = "" if required or info.default in (None, PydanticUndefined) else _as_text(info.default, kind)
    example = _as_text(info.examples[0], kind) if info.examples else ""
    return FormField(
        name=name,
        kind=kind,
        help=info.description or "",
        help_zh=str(chinese) if chinese else None,
        required=required,
        choices=choices,
        default=default,
        example=example or default,
        advanced=(bool(default) or info.default_factory is not None) and name not in _FIRST,
    )


def _kind(annotation: Any) -> tuple[str, tuple[str, ...]]:
    """The kind of control for a type, and its choices."""
    bare = _without_none(annotation)
    if isinstance(bare, type):
        if issubclass(bare, SecretStr):
            return "secret", ()
        if issubclass(bare, Enum):
            return "choice", tuple(str(member.value) for member in bare)
        return {bool: "yes_no", int: "number", float: "number", str: "text"}.get(bare, "yaml"), ()
    if get_origin(bare) is Literal:
        return "choice", tuple(str(value) for value in get_args(bare))
    if get_origin(bare) is list and _kind(get_args(bare)[0])[0] == "text":
        return "lines", ()
    return "yaml", ()


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _without_none(members[0]) if len(members) == 1 else annotation
    return annotation


def _read(kind: str, text: str) -> Any:
    if kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "yes_no":
        return text == "true"
    if kind == "yaml":
        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise Unreadable(Phrase("this is not valid YAML")) from None
    if kind == "number":
        try:
            return int(text) if text.lstrip("-").isdigit() else float(text)
        except ValueError:
            raise Unreadable(Phrase("a number is wanted")) from None
    return text


def _literal(value: Any) -> Any:
    """What was typed, so that it is read back as just that: no reference to a variable, a file or a stored secret."""
    if isinstance(value, str):
        if value.startswith(SCHEMES):
            raise Unreadable(Phrase("a reference to a file or a stored secret is only possible in the project's files"))
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {str(name): _literal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return value


def _is_shown(one: FormField, settings: Mapping[str, Any]) -> bool:
    return one.kind != "secret" and one.name in settings


def _as_text(value: Any, kind: str) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "lines" and isinstance(value, list):
        return "\n".join(str(item) for item in value).replace("$$", "$")
    if isinstance(value, list | dict):
        dumped = yaml.safe_dump(value, allow_unicode=True, sort_keys=False) if value else ""
        return str(dumped).replace("$$", "$")
    return "" if value is None else str(value).replace("$$", "$")


def _is_like(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)
