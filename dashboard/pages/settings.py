"""The settings in force, to read: what stands in kehu.yaml and what is taken by default, without secrets."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from dashboard import showing
from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync.exposed import exposed

router = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_WRITE))])


@router.get("/settings")
def show(request: Request) -> Response:
    """All sections; connections link to their own pages."""
    project = request.app.state.project
    sections = exposed(project)
    connections = sections.pop("connections")
    simple = {name: value for name, value in sections.items() if not isinstance(value, dict)}
    nested = {name: value for name, value in sections.items() if isinstance(value, dict) and value}
    return render(
        request, "settings.html", simple=simple, nested=nested, connections=connections, pretty=showing.pretty,
        file=project.path.name,
    )  # fmt: skip
