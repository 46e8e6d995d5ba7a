"""A real Kinto: a generic JSON store with tombstones, entity tags and pages told by a header, in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.processes import LOOPBACK, Process, accepts_connections, free_port, run_folder
from tests.systems.installing import installed, python_environment, version_of

PACKAGES = ["kinto==26.5.0"]
USER, PASSWORD = "kehu", "correct-horse-battery"
CONFIGURATION = """
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.includes = kinto.plugins.accounts
multiauth.policies = account
multiauth.policy.account.use = kinto.plugins.accounts.authentication.AccountsAuthenticationPolicy
kinto.account_create_principals = system.Everyone
kinto.bucket_create_principals = system.Authenticated
kinto.paginate_by = 100
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARN
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""


@dataclass
class Kinto:
    """A running server with an empty collection of customers, and its owner's session with it."""

    url: str
    process: Process
    user: str = USER
    password: str = PASSWORD
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, data: Any = None) -> Any:
        """One call below ``/v1``; its JSON's ``data``."""
        body = None if data is None else {"data": data}
        answer = self.session.request(
            method, f"{self.url}/v1{path}", json=body, auth=(self.user, self.password), timeout=30
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()["data"]


@contextmanager
def kinto() -> Iterator[Kinto]:
    """A Kinto of this caller's own; raises ``Unavailable``."""
    environment = installed(f"kinto-{version_of(*PACKAGES)}", lambda folder: python_environment(folder, PACKAGES))
    folder, port = run_folder("kinto"), free_port()
    (folder / "kinto.ini").write_text(CONFIGURATION)
    command = [environment / "bin" / "python", environment / "bin" / "kinto", "start"]
    process = Process([*command, "--ini", folder / "kinto.ini", "--port", str(port)], folder / "kinto.log", cwd=folder)
    process.start(lambda: accepts_connections(port), timeout=60)
    try:
        server = Kinto(f"http://{LOOPBACK}:{port}", process)
        server.session.put(f"{server.url}/v1/accounts/{USER}", json={"data": {"password": PASSWORD}}, timeout=30)
        server.call("PUT", "/buckets/crm", {})
        server.call("PUT", "/buckets/crm/collections/customers", {})
        yield server
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)
