"""Pages from templates: everything escaped, in the visitor's language, with moments told both ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from dashboard import assets, charts, navigation, showing
from dashboard.notices import notice
from dashboard.permissions import form_token
from dashboard.telephones import readable
from dashboard.words import word
from sync import language
from sync.runs.wording import Wording

FOLDER = Path(__file__).parent
LANGUAGE_COOKIE, THEME_COOKIE = "kehu_lang", "kehu_theme"
THEMES = ("auto", "light", "dark")
PASSING = ("lang", "theme", "told", "count")
"""Parts of an address that say nothing about what the page shows."""
A_YEAR = 31_536_000
_COMMAND = re.compile(r"`([^`]+)`")


def language_of(request: Request) -> str:
    """What the visitor chose, else what the project is set to, else what the browser prefers."""
    preferred = request.headers.get("accept-language", "").partition(",")[0]
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return language.choose(chosen, request.app.state.project.settings.language, preferred)


def theme_of(request: Request) -> str:
    """What the visitor chose: light, dark, or auto (what the system prefers)."""
    chosen = request.query_params.get("theme") or request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else "auto"


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. A language or theme chosen in the address is kept in a cookie. ``voice``: instead of ``voice_of``."""
    response = HTMLResponse(render_text(request, template, **values), status_code=status)
    kept = {"lang": (LANGUAGE_COOKIE, language_of(request)), "theme": (THEME_COOKIE, theme_of(request))}
    for name, (cookie, value) in kept.items():
        if request.query_params.get(name):
            response.set_cookie(cookie, value, max_age=A_YEAR, httponly=True, samesite="strict")
    return response


def render_text(request: Request, template: str, **values: Any) -> str:
    """A page, or a part of one, as HTML."""
    chosen = language_of(request)
    translate = _translator(chosen)
    visitor = getattr(request.state, "principal", None)
    voice: showing.Voice = values.pop("voice", None) or voice_of(request)
    return (
        _environment()
        .get_template(template)
        .render(
            _=translate,
            lang=chosen,
            theme=theme_of(request),
            zone=zone_of(request),
            path=request.url.path,
            here=lambda **changes: _here(request, changes),
            visitor=visitor,
            sign_on=request.app.state.project.settings.web.sign_on,
            may=lambda permission: visitor is not None and visitor.may(permission),
            menu=navigation.menu(request, visitor),
            is_current=navigation.is_current,
            asset=assets.address,
            notice=notice(request, chosen),
            csrf=form_token(request),
            told=lambda wording: _told(wording, chosen),
            ago=lambda seconds: _ago(seconds, translate),
            span=lambda seconds: _span(seconds, translate),
            word=voice.word,
            plain=lambda value, field="": showing.plain(value, voice, field),
            charts=charts,
            **values,
        )
    )


def _here(request: Request, changes: dict[str, Any]) -> str:
    """The address of this page with some parts of its query changed; None takes a part out."""
    query = {name: value for name, value in request.query_params.items() if name not in PASSING}
    query |= changes
    return "?" + urlencode({name: value for name, value in query.items() if value is not None})


def zone_of(request: Request) -> ZoneInfo:
    """The time zone that pages tell moments in: the project's."""
    return _zone(request.app.state.project.settings.time_zone)


def voice_of(request: Request, companies: Mapping[str, str] | None = None) -> showing.Voice:
    """How the visitor of a request is told of values. ``companies``: names, by the addresses of their records."""
    chosen, zone = language_of(request), zone_of(request)
    return showing.Voice(lambda code: word(code, chosen), lambda value: told_moment(value, zone), companies or {})


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


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
        _cached.filters["ticks"] = ticks
        _cached.filters["shown"] = shown
        _cached.filters["readable"] = readable
    return _cached


_cached: Environment | None = None


def _translator(chosen: str) -> Callable[..., str]:
    def _(template: str, **params: Any) -> str:
        return language.text(template, params, chosen)

    return _


@pass_context
def moment(context: Context, value: datetime | None) -> str:
    """An absolute time with its zone: the project's."""
    return "" if value is None else told_moment(value, context["zone"])


def told_moment(value: datetime, zone: ZoneInfo) -> str:
    """An absolute time in a zone, with its name."""
    return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def ticks(text: str) -> Markup:
    """A text whose commands in `backticks` are set as code; everything is escaped."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def shown(value: object) -> str:
    """A raw value of a source: texts as they are, anything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


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


def _span(seconds: float | None, _: Callable[..., str]) -> str:
    """How long something takes or took."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return _("{count} s", count=round(seconds, 1) if seconds < 10 else int(seconds))
    if seconds < 5400:
        return _("{count} min", count=int(seconds // 60))
    if seconds < 2 * 86400:
        return _("{count} h", count=round(seconds / 3600, 1))
    return _("{count} days", count=int(seconds // 86400))
