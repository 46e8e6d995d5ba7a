"""The command line of the example company."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import threading
from pathlib import Path

from examples.nanyang.generate import DEFAULT_CUSTOMERS, DEFAULT_SEED, generate
from examples.nanyang.services import serve


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all went well."""
    options = _parser().parse_args(arguments)
    if options.command == "generate":
        made = generate(options.folder, customers=options.customers, seed=options.seed)
        print(json.dumps({"customers": made.customers, "records": made.records}))
        return 0
    return _serve(options.folder, options.shop_port, options.mail_port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="company", description="Nanyang Trading, an invented company.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("generate", help="write its systems' data and a kehu project into a folder")
    make.add_argument("folder", type=Path)
    make.add_argument("--customers", type=int, default=DEFAULT_CUSTOMERS, help="how many true customers")
    make.add_argument("--seed", type=int, default=DEFAULT_SEED)
    run = commands.add_parser("serve", help="run its web shop and mailbox on this machine until Ctrl-C")
    run.add_argument("folder", type=Path)
    run.add_argument("--shop-port", type=int, default=0)
    run.add_argument("--mail-port", type=int, default=0)
    return parser


def _serve(folder: Path, shop_port: int, mail_port: int) -> int:
    """Serve until told to stop; the first line on stdout tells where, as JSON."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with serve(folder, shop_port=shop_port, mail_port=mail_port) as services, contextlib.suppress(KeyboardInterrupt):
        print(json.dumps({"shop_url": services.shop_url, "mail_port": services.mail_port}), flush=True)
        stopped.wait()
    return 0
