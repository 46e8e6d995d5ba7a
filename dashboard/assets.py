"""Stylesheet, script and icon of ours, and htmx as its wheel brings it. An address holds its contents' hash."""

from __future__ import annotations

import os
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

OURS = Path(__file__).parent / "static"
HTMX_PACKAGE, HTMX_FOLDER = "js_lib_htmx", "static/htmx"
FOREVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """Our own files, and those of htmx's wheel. What is asked for by hash may be kept for ever."""

    def __init__(self) -> None:
        super().__init__(directory=OURS, packages=[(HTMX_PACKAGE, HTMX_FOLDER)])

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file with what browsers may remember of it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        asked_by_hash = scope.get("query_string", b"").startswith(b"v=")
        response.headers["cache-control"] = FOREVER if asked_by_hash else "no-cache"
        return response


@cache
def address(name: str) -> str:
    """Where a page finds a file. Raises FileNotFoundError for one that there is not."""
    return f"/static/{name}?v={blake2b(_path(name).read_bytes(), digest_size=6).hexdigest()}"


def _path(name: str) -> Path:
    own = OURS / name
    if own.is_file():
        return own
    spec = find_spec(HTMX_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise FileNotFoundError(name)
    return Path(folders[0]) / HTMX_FOLDER / name
