"""A new connector as a plugin package that works, and passes the conformance suite, before a line is changed."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

from connectors.errors import BadConfiguration
from connectors.registry import BUILT_IN_FOLDER

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".tmpl"


def scaffold(name: str, folder: Path, *, dry_run: bool = False) -> list[Path]:
    """Write a plugin package for a connector called ``name`` into ``folder``; returns the files, in order.

    ``folder`` must be absent or empty. With ``dry_run`` nothing is written. Raises BadConfiguration for a name that
    cannot be an id, that a built-in connector has, and for a folder that is in use.
    """
    _require_name(name)
    _require_room(folder)
    files = {folder / path: text for path, text in _files(name)}
    if not dry_run:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return list(files)


def _files(name: str) -> Iterator[tuple[Path, str]]:
    """Every file of the package: its path in the folder and its text."""
    values = _values(name)
    targets = {"package": values["package"], "server.py": f"{name}_server.py", "test_connector.py": f"test_{name}.py"}
    for template in sorted(TEMPLATES.rglob(f"*{SUFFIX}")):
        parts = template.relative_to(TEMPLATES).with_suffix("").parts
        path = Path(*(targets.get(part, part) for part in parts))
        yield path, Template(template.read_text(encoding="utf-8")).substitute(values)


def _values(name: str) -> Mapping[str, str]:
    title = " ".join(part.capitalize() for part in name.split("_") if part)
    joined = title.replace(" ", "")
    return {
        "id": name,
        "title": title,
        "title_joined": joined,
        "class_name": f"{joined}Connector",
        "package": f"kehu_{name}",
        "distribution": f"kehu-{name.replace('_', '-')}",
    }


def _require_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 40 or keyword.iskeyword(name):
        raise BadConfiguration(
            "{name} cannot be a connector's id: use small letters, digits and single underscores, a letter first.",
            setting="name",
            remedy="Choose another name, e.g. acme_crm.",
            name=name[:60],
        )
    if (BUILT_IN_FOLDER / name).is_dir():
        raise BadConfiguration(
            "There is a built-in connector called {name}.", setting="name", remedy="Choose another name.", name=name
        )


def _require_room(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadConfiguration(
            "{folder} is not empty.", setting="folder", remedy="Name a new folder.", folder=str(folder)
        )
