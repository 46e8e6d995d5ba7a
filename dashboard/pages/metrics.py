"""``/metrics``: for Prometheus, on this machine without a key, from elsewhere with the scope ``metrics:read``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dashboard.guard import LOOPBACK_HOSTS, host_of
from dashboard.permissions import Permission, Requires

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""A proxy on this machine speaks for somebody else."""


@dataclass(frozen=True)
class RequiresUnlessLocal(Requires):
    """As ``Requires``, but whoever asks from this very machine passes."""

    async def __call__(self, request: Request) -> None:
        """Raises NotSignedIn, or Forbidden."""
        if not is_local(request):
            await super().__call__(request)


router = APIRouter(dependencies=[Depends(RequiresUnlessLocal(Permission.METRICS_READ))])


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Everything that is measured, in the text format of Prometheus."""
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, and is not passed on for somebody else."""
    try:
        near = request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    ours = host_of(request.headers.get("host", "")) in LOOPBACK_HOSTS
    return near and ours and not any(name in request.headers for name in FORWARDED)
