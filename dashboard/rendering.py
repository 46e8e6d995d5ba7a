"""Pages from templates: everything escaped, in the visitor's language, with moments told both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.permissions import form_token
from dashboard.words import word
from sync import language
from sync.runs.wording import Wording

FOLDER = Path(__file__).parent
LANGUAGE_COOKIE = "kehu_lang"


def language_of(request: Request) -> str:
    """What the visitor chose, else what the project is set to, else what the browser prefers."""
    preferred = request.headers.get("accept-language", "").partition(",")[0]
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return language.choose(chosen, request.app.state.project.settings.language, preferred)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. A language chosen in the address is kept in a cookie."""
    chosen = language_of(request)
    page = _environment().get_template(template)
    translate = _translator(chosen)
    html = page.render(
        _=translate,
        lang=chosen,
        path=request.url.path,
        visitor=getattr(request.state, "principal", None),
        csrf=form_token(request),
        told=lambda wording: _told(wording, chosen),
        ago=lambda seconds: _ago(seconds, translate),
        word=lambda code: word(code, chosen),
        **values,
    )
    response = HTMLResponse(html, status_code=status)
    if request.query_params.get("lang"):
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000, httponly=True, samesite="strict")
    return response


def _environment() -> Environment:
    global _cached
    if _cached is None:
        _cached = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        _cached.filters["moment"] = moment
        _cached.filters["number"] = number
        _cached.filters["since"] = since
    return _cached


_cached: Environment | None = None


def _translator(chosen: str) -> Callable[..., str]:
    def _(template: str, **params: Any) -> str:
        return language.text(template, params, chosen)

    return _


def moment(value: datetime | None) -> str:
    """An absolute time with its zone."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def since(value: datetime | None) -> float | None:
    """Seconds from a moment until now."""
    return None if value is None else (datetime.now(UTC) - value).total_seconds()


def number(value: object) -> str:
    """A count with thousands separated."""
    return f"{value:,}" if isinstance(value, int) else "–"


def _told(wording: Wording | str | None, chosen: str) -> str:
    if wording is None:
        return ""
    if isinstance(wording, str):
        return language.text(wording, {}, chosen)
    return language.text(wording.template, wording.params, chosen)


def _ago(seconds: float | None, _: Callable[..., str]) -> str:
    if seconds is None:
        return _("never")
    if seconds < 60:
        return _("{count} s ago", count=max(0, int(seconds)))
    if seconds < 3600:
        return _("{count} min ago", count=int(seconds // 60))
    if seconds < 2 * 86400:
        return _("{count} h ago", count=int(seconds // 3600))
    return _("{count} days ago", count=int(seconds // 86400))
