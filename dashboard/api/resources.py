"""All resources of the interface: one file each, named here once."""

from __future__ import annotations

from fastapi import APIRouter

from dashboard.api import (
    audit_log,
    changes,
    connections,
    crosswalk,
    customers,
    exports,
    hooks,
    keys,
    me,
    openapi,
    privacy,
    quarantine,
    resolve,
    runs,
    stewardship,
    users,
    webhooks,
)

ROUTERS: tuple[APIRouter, ...] = (
    customers.router,  # first: what is asked most is found soonest
    privacy.revealed,
    privacy.erased,
    privacy.erasures,
    crosswalk.router,
    resolve.router,
    stewardship.reading,
    stewardship.writing,
    changes.router,
    openapi.router,
    me.router,
    connections.reading,
    connections.writing,
    hooks.router,
    runs.reading,
    runs.writing,
    exports.router,
    quarantine.reading,
    quarantine.writing,
    users.reading,
    users.writing,
    keys.reading,
    keys.writing,
    webhooks.reading,
    webhooks.writing,
    audit_log.router,
)
