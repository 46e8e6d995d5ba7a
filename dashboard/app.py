"""The application: routes, guards, and what is shown instead of a page."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from dashboard import guard
from dashboard.pages import access, customers, health, overview, quarantine, runs
from dashboard.permissions import NotSignedIn, undeclared
from dashboard.rendering import FOLDER, render
from sync.access import Access
from sync.project import Project


def create_app(project: Project, access_keys: Access) -> FastAPI:
    """The dashboard of a project. Raises RuntimeError if a route declares no permission."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.project = project
    app.state.access = access_keys
    for pages in (access, health, overview, customers, runs, quarantine):
        app.router.routes.extend(pages.router.routes)  # flat, so that every route can be enumerated
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    guard.install(app)
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(SQLAlchemyError, _database_error)
    app.add_exception_handler(Exception, _fault)
    missing = undeclared(app)
    if missing:
        raise RuntimeError(f"routes without a permission: {', '.join(missing)}")
    return app


def _not_signed_in(request: Request, _error: Exception) -> Response:
    return render(request, "sign_in.html", status=401)


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return render(request, "problem.html", status=status, code=status)


def _fault(request: Request, _error: Exception) -> Response:
    return render(request, "problem.html", status=500, code=500)  # the error itself goes to the log


def _database_error(request: Request, _error: Exception) -> Response:
    return render(request, "problem.html", status=503, code=503)
