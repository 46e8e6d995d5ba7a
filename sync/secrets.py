"""Where secrets come from: ``${ENV}`` (with a ``.env`` file beside), ``file:path``, ``keyring:service/name``,
``vault:name`` (encrypted in the database).

Resolving happens in memory when a connection is opened; kehu.yaml itself never holds a secret. Texts of
errors name the reference, never the value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from connectors.errors import BadConfiguration

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*?)\s*$")

MAX_SECRET_BYTES = 64_000
MAX_ENV_BYTES = 1_000_000


class Secrets:
    """Resolves references against the environment, a project's ``.env`` and folder, and the keyring.

    The process environment wins over ``.env``, so that production can override a file that lies around.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        vault: Callable[[str], str | None] | None = None,
    ) -> None:
        self.folder = folder
        self._vault = vault
        self._environment = os.environ if environment is None else environment
        self._file = read_env_file(folder / ".env")

    def resolve(self, value: Any, *, where: str, key: str = "") -> Any:
        """``value`` with every reference in its texts replaced, at any depth.

        Raises BadConfiguration naming ``where`` and the key's path for a reference that leads nowhere.
        """
        if isinstance(value, str):
            return self._text(value, where, key)
        if isinstance(value, Mapping):
            return {name: self.resolve(item, where=where, key=_join(key, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, where=where, key=_join(key, index)) for index, item in enumerate(value)]
        return value

    def lookup(self, name: str) -> str | None:
        """A variable of the environment or of ``.env``; None where neither sets it."""
        return self._environment.get(name, self._file.get(name))

    def _text(self, text: str, where: str, key: str) -> str:
        scheme, _, rest = text.partition(":")
        if scheme == "keyring" and rest:
            return self._keyring(rest, where, key)
        if scheme == "vault" and rest:
            return self._stored(rest, where, key)
        if scheme == "file" and rest and not rest.startswith("//"):
            return self._read(rest, where, key)
        return _REFERENCE.sub(lambda match: self._variable(match, where, key), text)

    def _variable(self, match: re.Match[str], where: str, key: str) -> str:
        name = match["name"]
        if name is None:
            return "$"
        found = self.lookup(name)
        if found is None:
            found = match["default"]
        if found is None:
            raise BadConfiguration(
                "{where}: {key} needs the environment variable {name}, which is not set.",
                setting=key,
                remedy="Set it in the environment, or write `{name}=...` into the file .env beside it.",
                where=where,
                key=key,
                name=name,
            )
        return found

    def _read(self, name: str, where: str, key: str) -> str:
        path = self.folder / Path(name).expanduser()
        try:
            with path.open("rb") as file:
                content = file.read(MAX_SECRET_BYTES + 1)
            if len(content) > MAX_SECRET_BYTES:
                raise ValueError("too large")
            return content.decode().rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise BadConfiguration(
                "{where}: {key} is to be read from the file {name}, which failed: {reason}.",
                setting=key,
                remedy="Check that the file exists, is text, is small, and that this user may read it.",
                where=where,
                key=key,
                name=name,
                reason=getattr(error, "strerror", None) or "not a small text file",
            ) from None

    def _stored(self, name: str, where: str, key: str) -> str:
        found = None if self._vault is None else self._vault(name)
        if found is None:
            raise BadConfiguration(
                "{where}: {key} needs the stored secret {name}, which there is not.",
                setting=key,
                remedy="Store it with `kehu secret set {name}`.",
                where=where,
                key=key,
                name=name,
            )
        return found

    def _keyring(self, reference: str, where: str, key: str) -> str:
        import keyring  # slow to import and rarely used
        from keyring.errors import KeyringError

        service, _, user = reference.partition("/")
        try:
            found = keyring.get_password(service, user)
        except KeyringError as error:
            raise BadConfiguration(
                "{where}: {key} is to be read from the keyring, which failed: {reason}.",
                setting=key,
                remedy="Unlock the keyring, or use an environment variable instead.",
                where=where,
                key=key,
                reason=type(error).__name__,
            ) from None
        if found is None:
            raise BadConfiguration(
                "{where}: {key} is to be read from the keyring, which has no entry {service}/{user}.",
                setting=key,
                remedy="Store it with `keyring set {service} {user}`.",
                where=where,
                key=key,
                service=service,
                user=user,
            )
        return str(found)


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a ``.env`` file (``NAME=value``, ``#`` comments, quotes); {} without one."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_ENV_BYTES).decode(errors="replace")
    except OSError:
        return {}
    lines = (_LINE.match(line) for line in text.splitlines())
    return {line["name"]: _unquoted(line["value"]) for line in lines if line}


def references(value: Any) -> set[str]:
    """The names of the environment variables that a configuration value refers to without a default."""
    if isinstance(value, str):
        found = (match for match in _REFERENCE.finditer(value) if match["name"])
        return {match["name"] for match in found if match["default"] is None}
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return {name for item in value for name in references(item)}
    return set()


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return re.sub(r"\s+#.*$", "", value)


def _join(key: str, part: object) -> str:
    return f"{key}.{part}" if key else str(part)
