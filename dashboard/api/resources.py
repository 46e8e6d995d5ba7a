"""All resources of the interface: one file each, named here once."""

from __future__ import annotations

from fastapi import APIRouter

from dashboard.api import customers, me, openapi

ROUTERS: tuple[APIRouter, ...] = (
    openapi.router,
    me.router,
    customers.router,
)
