"""Where systems send their webhooks: ``/api/hooks/<connection>``. Who may is decided by the connector's signature."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from connectors.contract import Inbound
from connectors.errors import BadCredentials, ConnectorError, RecordRejected
from dashboard.api.problems import Problem
from dashboard.api.runs import bell
from dashboard.permissions import Permission, Requires
from sync.runs.inbound import Received, receive
from sync.runs.states import Trigger

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api/hooks", dependencies=[Depends(Requires(Permission.PUBLIC))])


@router.api_route("/{connection}", methods=["GET", "POST"], include_in_schema=False)
async def inbound(request: Request, connection: str) -> Response:
    """Keep what a verified webhook hints at, and ask for the run that follows it. Sent again, it changes nothing."""
    headers, query = dict(request.headers), dict(request.query_params)
    arrived = Inbound(request.method, request.url.path, headers, query, await request.body())
    received = await run_in_threadpool(_received, request, connection, arrived)
    return Response(received.answer or b"", media_type="text/plain")


def _received(request: Request, connection: str, arrived: Inbound) -> Received:
    try:
        received = receive(request.app.state.project, connection, arrived)
    except BadCredentials:
        raise Problem(
            "The signature of the webhook is missing or wrong.",
            status=401,
            code="bad_signature",
            remedy="Compare the secret in the sending system with the connection's settings.",
        ) from None
    except RecordRejected as error:
        raise Problem(error.template, status=422, code=error.code, remedy=error.remedy, **error.params) from None
    except ConnectorError as error:  # our own fault, told to our log only: the sender tries again later
        log.error("a webhook could not be received", connection=connection, code=error.code, reason=str(error))
        raise Problem(
            "Webhooks of this connection cannot be received at this moment.",
            status=503,
            code="not_ready",
            remedy="Send it again later.",
        ) from None
    for run_id in received.runs:
        bell(request).run(run_id, Trigger.WEBHOOK)
    return received
