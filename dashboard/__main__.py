"""``python -m dashboard PROJECT --port N``: serve the dashboard of a project on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from dashboard.app import create_app
from sync import telemetry
from sync.access import Access
from sync.lifeline import die_with_parent
from sync.project import Project


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m dashboard")
    parser.add_argument("project", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--die-with-parent", action="store_true")
    arguments = parser.parse_args()
    if arguments.die_with_parent:
        die_with_parent()
    telemetry.configure()
    project = Project.load(arguments.project)
    web = project.settings.web  # its host can only be this machine: the settings refuse others
    app = create_app(project, Access(project.state_folder))
    port = web.port if arguments.port is None else arguments.port
    uvicorn.run(app, host=web.host, port=port, log_config=None, access_log=False, server_header=False)


if __name__ == "__main__":
    main()
