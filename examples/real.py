"""The example company on real systems: ``python examples/real.py FOLDER``, after ``company.py generate``.

Starts Tryton, Medusa, Directus and Dovecot on this machine, as the tests do (the first time installs them, which takes
minutes), fills shop and mailbox with the company's customers, and writes the project so that it connects to them. What
cannot be installed here is left out, and said. The files of WeChat and the trade fair stay as they are.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml

from examples.nanyang.generate import PROJECT, SYSTEMS
from tests.systems import directus, dovecot, medusa, tryton
from tests.systems.installing import Unavailable

LOCAL = ["127.0.0.1"]
MAILBOX = "sales@nanyang.example"


class Company:
    """The systems that could be started, as connections of the project and the secrets these need."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._data = folder / SYSTEMS
        self._stack = stack
        self.connections: dict[str, Any] = {}
        self.secrets: dict[str, str] = {}

    def start(self, name: str) -> None:
        """Start one system; raises Unavailable if it cannot be had on this machine."""
        settings = getattr(self, f"_{name}")()
        secret = f"{name.upper()}_PASSWORD"
        self.secrets[secret] = settings["password"]
        settings["password"] = "${" + secret + "}"
        connector, own = {"erp": "tryton", "mailbox": "imap", "shop": "medusa", "crm": "directus"}[name], settings
        self.connections[name] = {"connector": connector, "every": "1m", "allow_private": LOCAL, "settings": own}

    def _erp(self) -> dict[str, Any]:
        server = self._stack.enter_context(tryton.tryton())
        return {
            "base_url": server.url,
            "database": tryton.DATABASE,
            "user": server.user,
            "password": server.password,
        }

    def _shop(self) -> dict[str, Any]:
        server = self._stack.enter_context(medusa.medusa())
        for customer in json.loads((self._data / "shop.json").read_text(encoding="utf-8")):
            body = {key: value for key, value in _medusa_customer(customer).items() if value}
            with suppress(AssertionError):  # the shop allows each email address once
                server.call("POST", "/customers", body)
        return {"base_url": server.url, "email": server.email, "password": server.password}

    def _crm(self) -> dict[str, Any]:
        server = self._stack.enter_context(directus.directus())
        return {"base_url": server.url, "email": server.email, "password": server.password}

    def _mailbox(self) -> dict[str, Any]:
        server = self._stack.enter_context(dovecot.dovecot())
        mailbox = server.mailbox(MAILBOX)
        for folder, name in (("", "INBOX"), ("Sent", "Sent")):
            for message in sorted((self._data / "mail" / name).glob("*.eml")):
                mailbox.deliver(message.read_bytes(), folder)
        return {
            "host": server.host,
            "port": server.tls_port,
            "ca_file": str(server.certificate),
            "user": MAILBOX,
            "password": mailbox.password,
            "own_domains": ["nanyang.example"],
        }


def _medusa_customer(customer: dict[str, Any]) -> dict[str, Any]:
    given, _, family = str(customer.get("name") or "").rpartition(" ")
    company, phone = customer.get("company"), customer.get("phone")
    return {
        "email": customer.get("email"),
        "first_name": given,
        "last_name": family,
        "company_name": company,
        "phone": phone,
    }


def main(folder: Path) -> int:
    """Start what there is, write the project, tell on stdout as JSON, and serve until told to stop."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        company = Company(folder, stack)
        missing: dict[str, str] = {}
        for name in ("erp", "shop", "crm", "mailbox"):
            try:
                company.start(name)
            except Unavailable as reason:
                missing[name] = str(reason)[:500]
        _write(folder, company)
        print(json.dumps({"systems": list(company.connections), "missing": missing}), flush=True)
        stopped.wait()
    return 0


def _write(folder: Path, company: Company) -> None:
    """The example's kehu.yaml with the real systems in place of the invented ones."""
    project = yaml.safe_load((PROJECT / "kehu.yaml").read_text(encoding="utf-8"))
    kept = {name: project["connections"][name] for name in ("wechat", "fair")}
    project["connections"] = {**company.connections, **kept}
    secrets = folder / ".env"
    secrets.touch(mode=0o600)
    secrets.write_text("".join(f"{name}={value}\n" for name, value in company.secrets.items()), encoding="utf-8")
    text = yaml.safe_dump(project, allow_unicode=True, sort_keys=False)
    (folder / "kehu.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
