"""For load balancers and supervisors: alive, and able to serve."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from dashboard.permissions import Permission, Requires
from sync import migrations
from sync.errors import SyncError

router = APIRouter(dependencies=[Depends(Requires(Permission.PUBLIC))])


@router.get("/healthz")
def alive() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
def ready(request: Request) -> JSONResponse:
    """The database answers and has the right schema."""
    try:
        migrations.require_current(request.app.state.project.database)
    except SyncError as error:
        return JSONResponse({"status": "unavailable", "code": error.code}, status_code=503)
    except SQLAlchemyError:
        return JSONResponse({"status": "unavailable", "code": "database_unavailable"}, status_code=503)
    return JSONResponse({"status": "ok"})
