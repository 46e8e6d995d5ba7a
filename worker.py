"""The composition root of the workers: project → broker → actors, when dramatiq imports this module.

    KEHU_PROJECT=folder dramatiq worker --processes 2 --threads 4
    KEHU_PROJECT=folder dramatiq worker --queues interactive     (a worker kept free of bulk work)

With ``KEHU_METRICS=1`` dramatiq's Prometheus middleware is on; ``dramatiq_prom_host`` and ``dramatiq_prom_port`` must
then say where it listens, since by itself it would listen on every address of the machine.
"""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from sync import collector, telemetry, tracing
from sync.errors import Misused
from sync.exporting import actors as exports
from sync.project import Project
from sync.runs import actors
from sync.runs.dispatch import make_broker
from sync.runs.following import FollowFiles


def compose(project: Project) -> RedisBroker:
    """The broker of a project with all actors declared, made dramatiq's global one."""
    telemetry.configure()
    tracing.configure("kehu-worker")
    broker = make_broker(project.broker.url, middleware=_middleware())
    dramatiq.set_broker(broker)
    broker.add_middleware(FollowFiles(project.refresh))
    actors.register(broker, project)
    exports.register(broker, project)
    collector.settle()
    return broker


def _middleware() -> list[dramatiq.Middleware]:
    """Neither time limits nor retries: leases and the sweeper do that, and survive the broker."""
    if os.environ.get("KEHU_METRICS") != "1":
        return []
    if "dramatiq_prom_host" not in os.environ:
        raise Misused("KEHU_METRICS needs dramatiq_prom_host.", remedy="Set dramatiq_prom_host=127.0.0.1.")
    from dramatiq.middleware.prometheus import Prometheus

    return [Prometheus()]


broker = compose(Project.load(os.environ.get("KEHU_PROJECT", ".")))
