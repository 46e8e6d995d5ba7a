"""The example company: always the same, complete, answering, and known through and through."""

from __future__ import annotations

import csv
import hashlib
import imaplib
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import requests
from python_calamine import CalamineWorkbook
from stdnum.cn import uscc

from connectors.contract import Mode, Read
from examples.nanyang import imap_server, sheets, shop_server
from examples.nanyang.generate import SYSTEMS, generate
from examples.nanyang.imap_search import search
from examples.nanyang.mailbox_store import Message
from examples.nanyang.numbers import credit_code
from examples.nanyang.services import Services, serve
from examples.nanyang.truth import Sighting, read_truth
from examples.nanyang.words import CITIES
from sync.project import Project

pytestmark = pytest.mark.slow

CUSTOMERS = 150


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small company."""
    folder = tmp_path_factory.mktemp("company")
    generate(folder, customers=CUSTOMERS)
    return folder


@pytest.fixture
def services(company: Path) -> Iterator[Services]:
    """Its running services."""
    with serve(company) as running:
        yield running


def digests(folder: Path) -> dict[str, str]:
    """Every file's hash by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, customers=60, seed=seed)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    changed = {name for name, digest in digests(tmp_path / "a").items() if digests(tmp_path / "c").get(name) != digest}
    assert {"truth.csv", "systems/erp.db", "systems/shop.json"} <= changed


def test_generating_again_into_the_same_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    generate(tmp_path / "twice", customers=120, seed=1)
    generate(tmp_path / "twice", customers=60, seed=2)
    generate(tmp_path / "once", customers=60, seed=2)
    assert digests(tmp_path / "twice") == digests(tmp_path / "once")


def test_the_default_company_has_over_a_thousand_records_of_a_few_hundred_customers(tmp_path: Path) -> None:
    made = generate(tmp_path)
    assert 400 <= made.customers <= 600
    assert sum(made.records.values()) >= 1000
    assert min(made.records.values()) >= 100


def test_tax_numbers_are_valid() -> None:
    rng = Random(5)
    assert all(uscc.is_valid(credit_code(rng, rng.choice(CITIES)[5])) for _ in range(500))


def ids_in_the_systems(folder: Path) -> Counter[tuple[str, str, str]]:
    """The id of every record, read from the systems' own files."""
    data = folder / SYSTEMS
    found: list[tuple[str, str, str]] = []
    connection = sqlite3.connect(data / "erp.db")
    for table in ("customers", "contacts"):
        found += [("erp", table, str(row[0])) for row in connection.execute(f"SELECT id FROM {table}")]
    connection.close()
    found += [("shop", "customers", one["id"]) for one in json.loads((data / "shop.json").read_text())]
    lines = (data / sheets.WECHAT).read_bytes().decode("gbk")
    found += [("wechat", "customers", row[0]) for row in csv.reader(lines.splitlines(True)[4:])]
    rows = CalamineWorkbook.from_path(data / sheets.FAIR).get_sheet_by_index(0).to_python()
    found += [("fair", "contacts", str(int(row[0]))) for row in rows[3:]]
    return Counter(found)


def test_the_truth_names_every_record_once(company: Path) -> None:
    truth = read_truth(company)
    assert len({sighting[:4] for sighting in truth}) == len(truth)
    told = Counter((s.source, s.stream, s.id) for s in truth if s.source != "mailbox" and not s.part)
    assert told == ids_in_the_systems(company)


def test_customers_overlap_between_the_systems(company: Path) -> None:
    sources: dict[str, set[str]] = {}
    for sighting in read_truth(company):
        sources.setdefault(sighting.customer, set()).add(sighting.source)
    assert sum(len(found) >= 2 for found in sources.values()) > CUSTOMERS / 2
    assert sum(len(found) >= 4 for found in sources.values()) > 5


def test_the_faults_of_real_lists_are_there(company: Path) -> None:
    data = company / SYSTEMS
    connection = sqlite3.connect(data / "erp.db")
    customers = connection.execute("SELECT name, tax_no, phone, email FROM customers").fetchall()
    connection.close()
    shop = json.loads((data / "shop.json").read_text())
    valid = [tax for _, tax, _, _ in customers if uscc.is_valid(tax)]
    phones = Counter(phone for _, _, phone, _ in customers if phone)
    emails = Counter(one["email"].strip().lower() for one in shop)
    assert len(valid) > len(set(valid)), "no branch or second entry"
    assert phones.most_common(1)[0][1] >= 2, "no shared switchboard"
    assert emails["noemail@nanyang.example"] == 3, "no test accounts"
    assert len([1 for email, number in emails.items() if number > 1]) > 2, "no shared emails"
    assert any(tax and not uscc.is_valid(tax) for _, tax, _, _ in customers), "no mistyped number"


@pytest.fixture
def project(company: Path, services: Services) -> Project:
    """The generated project, with its services running."""
    return Project.load(company)


def records(project: Project, name: str) -> Iterator[tuple[Sighting, dict[str, Any]]]:
    """Every customer that a connection's records map to, with its place."""
    connector = project.open(name)
    try:
        connector.check()
        for stream in project.streams(name):
            mapping = project.mapping(name, stream)
            for page in connector.read(Read(stream, page_size=100)):
                assert page.rejected == [] or page.rejected == ()
                for record in page.records:
                    for mapped in mapping(orjson.loads(record.body)):
                        yield Sighting(name, stream, record.key, mapped.part, ""), dict(mapped.customer)
    finally:
        connector.close()


def test_every_record_is_read_and_mapped_by_the_project(company: Path, project: Project) -> None:
    truth = {sighting[:4] for sighting in read_truth(company)}
    found = {
        sighting[:4]
        for name in project.settings.connections
        for sighting, customer in records(project, name)
        if customer["kind"]
    }
    families = found - truth  # addresses that two persons share are nobody's alone, so no truth is told of them
    assert truth <= found
    assert {one[0] for one in families} <= {"mailbox"}
    assert len(families) < 20


def test_the_shop_asks_for_its_token_and_pages(services: Services, company: Path) -> None:
    url = f"{services.shop_url}/customers"
    assert requests.get(url, timeout=5).status_code == 401
    headers = {"Authorization": f"Bearer {shop_server.TOKEN}"}
    expected = json.loads((company / SYSTEMS / "shop.json").read_text())
    found: list[dict[str, Any]] = []
    while len(found) < len(expected):
        query = {"page": len(found) // 20 + 1, "per_page": 20}
        found += requests.get(url, params=query, headers=headers, timeout=5).json()["customers"]
    assert sorted(one["id"] for one in found) == sorted(one["id"] for one in expected)
    middle = found[len(found) // 2]["updated_at"]
    later = requests.get(url, params={"updated_since": middle, "per_page": 100}, headers=headers, timeout=5).json()
    assert later["total"] == sum(one["updated_at"] >= middle for one in expected)
    assert requests.get(url, params={"per_page": 101}, headers=headers, timeout=5).status_code == 400


def test_the_shop_limits_calls_and_says_how_long_to_wait(services: Services) -> None:
    headers = {"Authorization": f"Bearer {shop_server.TOKEN}"}
    with requests.Session() as session:
        answers = [session.get(f"{services.shop_url}/me", headers=headers, timeout=5) for _ in range(200)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    time.sleep(1.1)
    assert requests.get(f"{services.shop_url}/me", headers=headers, timeout=5).status_code == 200


def test_a_change_in_the_shop_arrives_by_the_next_incremental_read(project: Project, services: Services) -> None:
    connector = project.open("shop")
    pages = list(connector.read(Read("customers", page_size=100)))
    key = pages[0].records[0].key
    headers = {"Authorization": f"Bearer {shop_server.TOKEN}"}
    changed = requests.patch(
        f"{services.shop_url}/customers/{key}", json={"name": "新名字"}, headers=headers, timeout=5
    )
    assert changed.status_code == 200
    found = list(connector.read(Read("customers", Mode.INCREMENTAL, pages[-1].cursor)))
    assert key in {record.key for page in found for record in page.records}
    assert requests.delete(f"{services.shop_url}/customers/{key}", headers=headers, timeout=5).status_code == 200
    assert key not in {one for batch in connector.ids("customers") for one in batch}
    connector.close()


def test_the_mailbox_is_read_by_an_ordinary_client(services: Services, company: Path) -> None:
    client = imaplib.IMAP4("127.0.0.1", services.mail_port, timeout=5)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(imap_server.USER, "wrong")
    client.login(imap_server.USER, imap_server.PASSWORD)
    names = [str(line).split('"')[3] for line in client.list()[1]]
    assert names == ["INBOX", "Sent"]
    status, (count,) = client.select("INBOX", readonly=True)
    files = sorted((company / SYSTEMS / "mail" / "INBOX").glob("*.eml"))
    assert (status, int(count)) == ("OK", len(files))
    assert client.uid("SEARCH", None, f"UID 3:{len(files)}")[1][0].split()[0] == b"3"
    beyond = client.uid("SEARCH", None, f"UID {len(files) + 5}:*")[1][0]
    assert beyond.split() == [str(len(files)).encode()], "a reversed range matches the last message"
    (answer, *_) = client.uid("FETCH", "2", "(INTERNALDATE BODY.PEEK[HEADER.FIELDS (FROM DATE)])")[1]
    assert answer[1].lower().startswith(b"from: ")
    part = client.uid("FETCH", "2", "(BODY.PEEK[]<3.10>)")[1][0][1]
    assert part == files[1].read_bytes()[3:13]
    whole = client.uid("FETCH", "2", "(BODY.PEEK[])")[1][0][1]
    assert whole == files[1].read_bytes()
    with pytest.raises(imaplib.IMAP4.error, match="BAD"):
        client.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
    client.logout()


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ("ALL", [1, 2, 3]),
        ("FROM anna@x.example", [1]),
        ('OR FROM "anna@x.example" TO "anna@x.example"', [1, 2]),
        ("NOT FROM anna", [2, 3]),
        ("HEADER Message-ID <b@x>", [2]),
        ("SINCE 2-Feb-2026", [2, 3]),
        ("BEFORE 2-Feb-2026 SEEN", [1]),
        ("UID 20:*", [2, 3]),
        ("(OR UID 10 UID 30) UNDELETED", [1, 3]),
        ("2:3 UNSEEN", []),
        ("CHARSET UTF-8 ON 2-Feb-2026", [2]),
    ],
)
def test_the_usual_searches_find_the_right_messages(criteria: str, expected: list[int]) -> None:
    messages = [
        Message(10, b"From: Anna@x.example\r\nDate: Sun, 01 Feb 2026 10:00:00 +0000\r\nMessage-ID: <a@x>\r\n\r\n"),
        Message(20, b"To: Anna <anna@x.example>\r\nDate: Mon, 02 Feb 2026 10:00:00 +0000\r\nMessage-ID: <b@x>\r\n\r\n"),
        Message(30, b"From: bob@x.example\r\nDate: Tue, 03 Feb 2026 10:00:00 +0000\r\n\r\n"),
    ]
    assert [number for number, _ in search(criteria.encode(), messages)] == expected


@pytest.mark.parametrize("criteria", ["WHATEVER", "FROM", "KEYWORD x", "SINCE never"])
def test_searches_that_are_not_known_are_refused(criteria: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        search(criteria.encode(), [])


def test_the_command_generates_and_serves(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "examples" / "company.py"
    folder = tmp_path / "company"
    command = [sys.executable, str(script)]
    made = subprocess.run([*command, "generate", str(folder), "--customers", "40"], check=True, capture_output=True)
    assert json.loads(made.stdout)["customers"] > 20
    process = subprocess.Popen([*command, "serve", str(folder)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert requests.get(told["shop_url"] + "/me", timeout=5).status_code == 401
        assert f"SHOP_URL={told['shop_url']}" in (folder / ".env").read_text()
    finally:
        process.terminate()
        assert process.wait(10) == 0
