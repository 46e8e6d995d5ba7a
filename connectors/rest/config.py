"""From the settings a manifest declares to a pydantic model, as a connector written by hand would have."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, create_model

from connectors.contract import Config
from connectors.rest.manifest import ConfigField, RestManifest


def http_url(value: str) -> str:
    """An address without its last slash; raises ValueError for what is none, or holds a password."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with https:// (or http:// within your own network)")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password: use the settings made for them")
    return value.rstrip("/")


_TYPES: dict[str, Any] = {
    "text": Annotated[str, Field(min_length=1, max_length=2000)],
    "list": Annotated[str, Field(max_length=20_000)],
    "url": Annotated[str, AfterValidator(http_url)],
    "integer": int,
    "number": float,
    "boolean": bool,
}


def config_model(manifest: RestManifest) -> type[Config]:
    """The model of a connection's settings: secrets typed as such, help in both languages."""
    fields: dict[str, Any] = {name: _field(field) for name, field in manifest.config.items()}
    name = "".join(part.title() for part in manifest.id.split("_")) + "Config"
    model: type[Config] = create_model(name, __base__=Config, **fields)
    return model


def _field(field: ConfigField) -> tuple[Any, Any]:
    kind: Any = SecretStr if field.secret else _kind(field)
    optional = field.default is not None or not field.required
    if field.default is None and optional:
        kind = kind | None
    default = field.default if optional else ...
    return kind, Field(default=default, description=field.en, json_schema_extra={"zh": field.zh})


def _kind(field: ConfigField) -> Any:
    return Literal[field.choices] if field.type == "choice" else _TYPES[field.type]


def config_values(config: Config, manifest: RestManifest) -> dict[str, Any]:
    """The settings as places of templates; secrets in plain text, so keep the result out of sight."""
    return {
        f"config.{name}": _plain(value, manifest.config[name])
        for name, value in ((name, getattr(config, name)) for name in type(config).model_fields)
    }


def secrets(config: Config) -> list[SecretStr]:
    """The settings that are secret."""
    values = (getattr(config, name) for name in type(config).model_fields)
    return [value for value in values if isinstance(value, SecretStr)]


def _plain(value: Any, field: ConfigField) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if field.type == "list":
        return [part.strip() for part in str(value or "").split(",") if part.strip()]
    return value
