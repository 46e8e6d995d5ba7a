"""A real OpenID Connect provider: npm `oidc-provider`, certified by the OpenID Foundation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import LOOPBACK, Process, accepts_connections, free_port, run_folder
from tests.systems.installing import installed, node, node_packages, version_of

PACKAGES = {"oidc-provider": "9.13.3"}
CLIENT, SECRET = "kehu", "a-secret-of-this-test-only"
SERVER = """
import { Provider } from "oidc-provider"
const [port, callback, groups] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])]
const issuer = `http://127.0.0.1:${port}`
const provider = new Provider(issuer, {
  clients: [{ client_id: "kehu", client_secret: "a-secret-of-this-test-only", redirect_uris: [callback],
    grant_types: ["authorization_code"], response_types: ["code"] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({
    sub: id, preferred_username: id, email: `${id}@example.com`, groups: groups[id] ?? [] }) }),
})
provider.listen(Number(port), "127.0.0.1")
"""


@dataclass
class Oidc:
    """A running provider; whoever types a name signs in as it, any password does."""

    issuer: str
    process: Process


@contextmanager
def oidc(callback: str, groups: dict[str, list[str]]) -> Iterator[Oidc]:
    """A provider that lets people come back to ``callback``. Raises ``Unavailable``."""
    folder = installed(f"oidc-{version_of(json.dumps(PACKAGES))}", lambda made: node_packages(made, PACKAGES))
    script = folder / f"server-{version_of(SERVER)}.mjs"
    if not script.exists():
        script.write_text(SERVER)
    port, log = free_port(), run_folder("oidc") / "oidc.log"
    words: list[str | Path] = [node(), script, str(port), callback, json.dumps(groups)]
    process = Process(words, log)
    process.start(lambda: accepts_connections(port), 60)
    try:
        yield Oidc(f"http://{LOOPBACK}:{port}", process)
    finally:
        process.stop()
