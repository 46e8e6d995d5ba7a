"""Starts the example's services, and tells the project where they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.nanyang.generate import SYSTEMS
from examples.nanyang.imap_server import PASSWORD, USER, ImapServer
from examples.nanyang.mail import FOLDER as MAIL
from examples.nanyang.shop import FILE_NAME as SHOP
from examples.nanyang.shop_server import TOKEN, ShopServer


@dataclass(frozen=True, slots=True)
class Services:
    """Where the running services are."""

    shop_url: str
    mail_port: int


@contextmanager
def serve(folder: Path, *, shop_port: int = 0, mail_port: int = 0) -> Iterator[Services]:
    """Run shop and mailbox of a generated project until the block ends; port 0 takes any free one.

    The project's ``.env`` is written, so that its connections find them. OSError if a port is taken.
    """
    data = folder / SYSTEMS
    with ShopServer(data / SHOP, shop_port) as shop, ImapServer(data / MAIL, mail_port) as mail:
        for server in (shop, mail):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        services = Services(shop.url, mail.port)
        write_environment(folder, services)
        try:
            yield services
        finally:
            shop.shutdown()
            mail.shutdown()


def write_environment(folder: Path, services: Services) -> None:
    """Write the project's .env: where the services are, and the example's (public) credentials."""
    path = folder / ".env"
    path.touch(mode=0o600)
    path.write_text(
        f"SHOP_URL={services.shop_url}\nSHOP_TOKEN={TOKEN}\n"
        f"MAIL_PORT={services.mail_port}\nMAIL_USER={USER}\nMAIL_PASSWORD={PASSWORD}\n",
        encoding="utf-8",
    )
