"""The application: routes, guards, and what is shown instead of a page."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from connectors.errors import ConnectorError
from dashboard import guard, observing
from dashboard.api import problems, resources
from dashboard.assets import Assets
from dashboard.following import FollowFiles
from dashboard.hot import Hot
from dashboard.limits import Buckets, Limited, Rate
from dashboard.pages import (
    access,
    adding,
    audit,
    changes,
    connection,
    connections,
    customer,
    customers,
    duplicates,
    exports,
    health,
    keys,
    mappings,
    matching,
    metrics,
    overview,
    palette,
    privacy,
    quarantine,
    runs,
    settings,
    sign_on,
    users,
    webhooks,
)
from dashboard.permissions import undeclared
from dashboard.rendering import language_of, render
from mappings.errors import MappingError
from sync import language
from sync.access import Access
from sync.errors import SyncError
from sync.language import Phrase
from sync.project import Project
from sync.settings import WebSettings

PAGES = (
    access,
    sign_on,
    health,
    metrics,
    overview,
    palette,
    customers,
    customer,
    privacy,
    duplicates,
    matching,
    changes,
    webhooks,
    exports,
    keys,
    users,
    audit,
    settings,
    adding,
    connections,
    connection,
    mappings,
    runs,
    quarantine,
)
HANDLED = (RequestValidationError, HTTPException, *problems.DATABASE_ERRORS, SyncError, ConnectorError, MappingError)


def create_app(project: Project, access_keys: Access) -> FastAPI:
    """The dashboard and the REST interface of a project. Raises RuntimeError if a route declares no permission."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.project = project
    app.state.access = access_keys
    for router in (*resources.ROUTERS, *(pages.router for pages in PAGES)):
        app.router.routes.extend(router.routes)  # flat, so that every route can be enumerated
    app.mount("/static", Assets(), name="static")
    app.add_middleware(FollowFiles, project=project, state=app.state)
    web = project.settings.web
    limits = Buckets(Rate(web.limit.per_second, web.limit.burst))
    app.add_middleware(Limited, limits=limits, fault=fault)
    observing.install(app, project)
    app.state.hosts = guard.LOOPBACK_HOSTS | public_hosts(web)
    guard.install(app, fault, app.state.hosts, secure=web.is_secure)
    app.add_middleware(Hot, owner=app, limits=limits)
    for kind in HANDLED:
        app.add_exception_handler(kind, fault)
    missing = undeclared(app)
    if missing:
        raise RuntimeError(f"routes without a permission: {', '.join(missing)}")
    return app


def public_hosts(web: WebSettings) -> frozenset[str]:
    """The name others know the service by, if it has one."""
    return frozenset() if web.public_url is None else frozenset({guard.host_of(urlsplit(web.public_url).netloc)})


def fault(request: Request, error: Exception) -> Response:
    """What is answered instead: a problem to programs, a page to people."""
    told = problems.of_error(request, error)
    if problems.is_api(request):
        return told
    if told.status_code == 401:
        return render(request, "sign_in.html", status=401, fault="", name="")
    message, remedy = _message(error, language_of(request))
    values = {"code": told.status_code, "message": message, "remedy": remedy}
    page = render(request, "problem.html", status=told.status_code, **values)
    page.headers.update({name: told.headers[name] for name in ("allow", "retry-after") if name in told.headers})
    return page


def _message(error: Exception, chosen: str) -> tuple[str, str]:
    """What a page says of an error, and what to do; empty for what its number says well enough."""
    if isinstance(error, SyncError | ConnectorError | MappingError):
        return language.told(error, chosen)
    if not isinstance(error, RequestValidationError):
        return "", ""
    places = problems.places_of(error)
    wrong = "; ".join(f"{one.parameter or one.pointer or ''}: {one.told(chosen)['detail']}" for one in places)
    return language.text(_INCOMPLETE.template, {"places": wrong}, chosen), language.text(_BY_LINKS, {}, chosen)


_INCOMPLETE = Phrase("This page cannot be shown as the address asks: {places}.")
_BY_LINKS = Phrase("Come to it by a link of another page, which names what it is about.")
