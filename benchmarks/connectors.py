"""What each connector costs: records a second, CPU a record and memory of a full read, lines, grade, what is open.

Run ``python -m benchmarks.connectors [NAME…] [--rows N] [--table FILE]``. The vendor's simulator, or the real server,
is another process and not counted; it is also what a connector mostly waits for, so that records a second say more of
the simulator and of paging than of the connector, and CPU is the figure to compare.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from connectors.budget import LocalBudget
from connectors.conformance import Source
from connectors.contract import Capability, Context, Mode, Read
from connectors.documents import validate
from connectors.quality import Status
from connectors.registry import ConnectorInfo, load_registry
from connectors.rest import RestManifest

ROWS = 2_000
PAGE_SIZE = 1_000
PATIENCE = 900.0
"""Seconds in which a simulator must have made its rows."""


class Place(NamedTuple):
    """Where a connector's simulator and the source that describes it stand below ``tests.connectors``."""

    module: str
    simulator: str
    source: str


_T = "tests.connectors"
PLACES = {
    "brevo": Place("brevo.test_brevo", "Brevo", "BrevoSource"),
    "business_central": Place("business_central.test_business_central", "BusinessCentralServer", "CustomerSource"),
    "douyin_shop": Place("douyin_shop.test_douyin_shop", "DouyinShop", "DouyinSource"),
    "dynamics_dataverse": Place("dynamics_dataverse.test_dataverse", "DataverseServer", "DataverseSource"),
    "erpnext": Place("erpnext.test_erpnext", "ErpNext", "ErpSource"),
    "gmail": Place("gmail.test_gmail", "Google", "ContactSource"),
    "hubspot": Place("hubspot.test_hubspot", "HubSpot", "HubSource"),
    "kingdee": Place("kingdee.kingdee_source", "Kingdee", "KingdeeSource"),
    "klaviyo": Place("klaviyo.test_klaviyo", "Klaviyo", "KlaviyoSource"),
    "magento": Place("magento.test_magento", "Magento", "MagentoSource"),
    "mailchimp": Place("mailchimp.test_mailchimp", "Mailchimp", "MailchimpSource"),
    "mautic": Place("mautic.test_mautic", "Mautic", "MauticSource"),
    "msgraph": Place("msgraph.test_msgraph", "GraphServer", "ContactSource"),
    "odoo": Place("odoo.test_odoo", "Odoo", "OdooSource"),
    "salesforce": Place("salesforce.test_salesforce", "Salesforce", "SalesSource"),
    "sap_s4hana": Place("sap_s4hana.test_sap_s4hana", "SapServer", "PartnerSource"),
    "shopify": Place("shopify.test_shopify", "Shop", "ShopSource"),
    "wechat_oa": Place("wechat_oa.test_wechat_oa", "WeChat", "WeChatSource"),
    "wecom": Place("wecom.test_wecom", "WeCom", "WeComSource"),
    "woocommerce": Place("woocommerce.test_woocommerce", "WooCommerce", "WooSource"),
    "yonyou_u8": Place("yonyou_u8.test_yonyou_u8", "U8", "U8Source"),
    "yonyou_yonbip": Place("yonyou_yonbip.yonbip_source", "YonBip", "YonBipSource"),
    "youzan": Place("youzan.test_youzan", "YouzanShop", "YouzanSource"),
}
"""Connectors whose simulator takes a number of rows. Files and databases are measured without a server."""
REAL = frozenset({"tryton", "imap", "directus", "medusa"})
"""Connectors that are measured with the real server."""


class Figures(NamedTuple):
    """One full read: its records and seconds, the reader's CPU seconds and by how many MiB its peak memory grew."""

    records: int
    seconds: float
    cpu: float
    memory: float
    capabilities: frozenset[Capability]


@contextmanager
def running(name: str, rows: int) -> Iterator[Source]:
    """The system with so many rows: a simulator, or the real server."""
    if name in REAL:
        from benchmarks.real_systems import SYSTEMS

        with SYSTEMS[name](rows) as source:
            yield source
        return
    place = PLACES[name]
    module = importlib.import_module(f"{_T}.{place.module}")
    with getattr(module, place.simulator)(rows) as server:
        yield getattr(module, place.source)(server)


def serve(name: str, rows: int, pipe: Connection) -> None:
    """In a process of its own: run the system, tell how to reach it, end when the pipe is closed."""
    with running(name, rows) as source:
        pipe.send((source.stream, source.settings()))
        try:
            pipe.recv()
        except EOFError:
            return


@contextmanager
def simulated(name: str, rows: int) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """The stream, settings and folder with which a simulator can be read."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(name, rows, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(PATIENCE):
            raise TimeoutError(f"the simulator of {name} did not start")
        stream, settings = ours.recv()
        yield stream, settings, Path.cwd()
    finally:
        ours.close()  # the server ends by itself, and cleans up what it started
        process.join(30)
        process.terminate()


@contextmanager
def local(name: str, rows: int) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """A CSV file or a SQLite database with so many rows."""
    import sqlite3

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = [(n, f"客户 {n}", f"user{n}@example.com", "0755-26001234", "2026-01-02 03:04:05") for n in range(rows)]
        if name == "files":
            text = "".join(f"{','.join(map(str, line))}\n" for line in [("id", "name", "email", "phone", "at"), *lines])
            (folder / "customers.csv").write_text(text, encoding="utf-8")
            yield "customers", {"path": "customers.csv", "settle_seconds": 0}, folder
            return
        with sqlite3.connect(folder / "shop.db") as database:
            database.execute("create table customers (id integer primary key, name, email, phone, at)")
            database.executemany("insert into customers values (?, ?, ?, ?, ?)", lines)
        database.close()
        streams = {"customers": {"table": "customers", "key": "id"}}
        yield "customers", {"url": "sqlite:///shop.db", "streams": streams}, folder


def measure(name: str, rows: int) -> Figures:
    """Read a stream of so many rows in full, in a process of its own: peak memory never falls."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        return alone.submit(read, name, rows).result()


def peak() -> float:
    """The most memory that this process has held, in MiB (Linux counts KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(name: str, rows: int) -> Figures:
    """One full read, measured in this process."""
    info = load_registry(plugins=()).get(name)
    begin = local if info.id in ("files", "sql") else simulated
    with begin(info.id, rows) as (stream, settings, folder):
        kind = info.load()
        context = Context("bench", folder, ["127.0.0.0/8", "::1/128"], LocalBudget())
        connector = kind(validate(kind.config_model, settings), context)
        connector.check()
        before, started, cpu, count = peak(), time.perf_counter(), time.process_time(), 0
        for partition in connector.partitions(stream):
            for page in connector.read(Read(stream, Mode.FULL, partition=partition, page_size=PAGE_SIZE)):
                count += len(page.records)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        can = frozenset(capability for offered in connector.discover() for capability in offered.capabilities)
        figures = Figures(count, seconds, cpu, peak() - before, can)
        connector.close()
    return figures


def lines_of(info: ConnectorInfo) -> int:
    """Lines of the connector's own folder that say something: code and manifest, without blanks, comments, mappings."""
    paths = [*info.folder.rglob("*.py"), info.manifest_path or info.folder / "manifest.yaml"]
    lines = (line.strip() for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


def row(info: ConnectorInfo, figures: Figures | None) -> str:
    """One line of the table."""
    can = set(info.manifest.capabilities) if info.manifest else set()
    if isinstance(info.manifest, RestManifest):
        can |= {ability for stream in info.manifest.streams for ability in info.manifest.abilities(stream)}
    can |= figures.capabilities if figures else set()
    quality = info.quality
    open_points = [] if quality is None else [point.en for point in quality.unverified]
    waits = [v for v in quality.verdicts if v.status is Status.TODO] if quality else []
    open_points += [f"{verdict.rule}: {verdict.reason.en or 'to do'}" for verdict in waits]
    speed, cpu, memory = "–", "–", "–"
    if figures is not None and figures.records:
        speed = f"{figures.records / figures.seconds:,.0f}"
        cpu, memory = f"{figures.cpu / figures.records * 1e6:,.0f}", f"{figures.memory:,.0f}"
    cells = (info.id, f"{lines_of(info):,}", ", ".join(sorted(can)) or "–", str(info.grade), speed, cpu, memory)
    return f"| {' | '.join(cells)} | {'; '.join(open_points) or '–'} |"


HEAD = """\
| connector | lines | capabilities | grade | records/s | CPU µs/record | MiB | what stays unverified or open |
|---|---:|---|---|---:|---:|---:|---|"""


def table(names: list[str], rows: int) -> Iterator[str]:
    """The lines of the table, each as soon as it is measured."""
    yield from HEAD.splitlines()
    for info in load_registry(plugins=()):
        if names and info.id not in names:
            continue
        can_run = info.id in PLACES or info.id in REAL or info.id in ("files", "sql")
        yield row(info, measure(info.id, rows) if can_run else None)


def main(arguments: list[str]) -> None:
    """Print the table, and store it where asked."""
    parser = argparse.ArgumentParser(prog="benchmarks.connectors", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="connectors; by default all")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows in each simulator ({ROWS})")
    parser.add_argument("--table", type=Path, help="a Markdown file to write the table to")
    given = parser.parse_args(arguments)
    lines = []
    for line in table(given.names, given.rows):
        print(line, flush=True)
        lines.append(line)
    if given.table is not None:
        given.table.write_text(INTRODUCTION.format(rows=given.rows) + "\n".join(lines) + "\n", encoding="utf-8")


INTRODUCTION = """\
# The connectors in figures

Written by `python -m benchmarks.connectors --rows {rows} --table docs/connectors-table.md`: one full read of {rows}
rows of each connector's simulator (Tryton, IMAP, Directus and Medusa: of the real server), which runs in a process of
its own. Records a second are mostly the simulator's (Python, one thread, on the same two cores); CPU is the
connector's alone, and MiB what its peak memory grew by during the read. Lines are code and manifest without blanks and
comments; shared protocols (REST, OData, HTTP) are not included. Rules and grades are explained in
[connectors.md](connectors.md#the-quality-scale).

"""

if __name__ == "__main__":
    main(sys.argv[1:])
