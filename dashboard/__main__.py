"""``python -m dashboard PROJECT [--port N | --fd N]``: serve the dashboard of a project on this machine.

``--fd`` is a listening socket that was inherited, as ``kehu up`` hands it over.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import uvicorn

from dashboard.app import create_app
from dashboard.pages.duplicates import desk_of
from sync import telemetry, tracing
from sync.access import Access
from sync.lifeline import die_with_parent
from sync.project import Project

STOP = 2
"""Seconds for answers under way when told to stop; live pages would otherwise hold the process for ever."""


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m dashboard")
    parser.add_argument("project", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--die-with-parent", action="store_true")
    arguments = parser.parse_args()
    if arguments.die_with_parent:
        die_with_parent()
    telemetry.configure()
    tracing.configure("kehu-web")
    project = Project.load(arguments.project)
    web = project.settings.web
    app = create_app(project, Access(project.state_folder))
    desk_of(app.state).at_hand()  # on a large master the first reading takes seconds
    port = web.port if arguments.port is None else arguments.port
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=web.host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(web.proxies),
            forwarded_allow_ips=web.proxies,
            timeout_graceful_shutdown=3,  # who waits for changes is not waited for: they come back
        )
    )
    server.run([socket.socket(fileno=arguments.fd)] if arguments.fd is not None else None)


if __name__ == "__main__":
    main()
