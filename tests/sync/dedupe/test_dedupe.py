"""`kehu dedupe` as its users meet it: files in, a folder out, without a project."""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sync import language
from sync.cli import run
from tests.connectors.files.workbook import sheet, workbook

csv.field_size_limit(2_000_000)
RESULT = {"clusters.csv", "golden.csv", "golden.jsonl", "links.csv", "rejected.csv", "summary.html"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEHU_LANG", "en")
    language.use("en")


def kehu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["dedupe", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def data(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    got, out, err = kehu(capsys, *arguments, "--json")
    assert got == code, err
    body = json.loads(out)
    assert body["schema"] == "kehu.dedupe/1"
    found: dict[str, Any] = body["data"]
    return found


def table(path: Path | str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def people(count: int = 120, seed: int = 1) -> list[dict[str, str]]:
    """Persons, every third of them twice with a typing error; ``who`` says who is who."""
    chance = random.Random(seed)
    first = ["Anna", "Boris", "Chen", "Dora", "Emil", "Fatima", "Georg", "Hanna", "Igor", "Julia"]
    last = ["Smith", "Okafor", "Ivanov", "Garcia", "Muller", "Tanaka", "Rossi", "Novak", "Silva", "Larsen"]
    rows = []
    for who in range(count):
        given, family = chance.choice(first), chance.choice(last)
        born = (chance.randrange(1940, 2005), chance.randrange(1, 13), chance.randrange(1, 29))
        row = {
            "who": str(who),
            "first_name": given,
            "last_name": family,
            "email": "".join(chance.choices("abcdefghijklmnop", k=12)) + "@example.org",
            "date_of_birth": "{}-{:02}-{:02}".format(*born),
        }
        rows.append(row)
        if who % 3 == 0:
            rows.append({**row, "last_name": family[:-1] + "x"})
    return rows


def write(path: str, rows: list[dict[str, Any]], encoding: str = "utf-8") -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with Path(path).open("w", encoding=encoding, newline="") as file:
        lines = csv.DictWriter(file, columns)
        lines.writeheader()
        lines.writerows(rows)
    return path


def test_a_file_becomes_customers_with_golden_records_links_and_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    rows = people()
    report = data(capsys, write("people.csv", rows), "--truth", "who", "--out", "result")
    assert {path.name for path in Path("result").iterdir()} == RESULT | {"mapping.yaml"}
    assert report["accuracy"]["pairs"]["f1"] > 0.95
    clustered = table("result/clusters.csv")
    assert [row["first_name"] for row in clustered] == [row["first_name"] for row in rows]
    sizes = Counter(row["cluster_id"] for row in clustered)
    assert all(int(row["cluster_size"]) == sizes[row["cluster_id"]] for row in clustered)
    gold = [json.loads(line) for line in Path("result/golden.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {str(one["cluster_id"]): len(one["records"]) for one in gold} == sizes
    assert [row["cluster_id"] for row in table("result/golden.csv")] == [str(one["cluster_id"]) for one in gold]


def test_the_counts_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [*people(40), {"who": "nobody"}, *people(30, seed=2)]
    report = data(capsys, write("people.csv", rows), code=4)
    counted = report["rows"]
    assert counted["read"] == len(rows)
    assert report["records"] == counted["read"] - counted["unreadable"] - counted["unmapped"] - counted["filtered"]
    assert sum(int(size) * count for size, count in report["sizes"].items()) == report["records"]
    assert sum(report["sizes"].values()) == report["clusters"]
    assert sum(report["histogram"].values()) + report["pairs"]["forbidden"] == report["pairs"]["compared"]


def test_every_link_says_what_each_field_weighs_and_the_weights_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    report = data(capsys, write("people.csv", people()), "--out", "result")
    links = table("result/links.csv")
    assert len(links) >= report["pairs"]["kept"] > 0
    for link in links:
        columns = list(link)
        parts = columns[columns.index("prior") :]
        assert sum(float(link[name] or 0) for name in parts) == pytest.approx(float(link["weight"]), abs=0.01)
        assert (link["left_cluster_id"] == link["right_cluster_id"]) == (link["same_cluster"] == "yes")


def test_the_same_input_gives_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    file = write("people.csv", people())
    for folder in ("one", "two"):
        assert kehu(capsys, file, "--truth", "who", "--out", folder)[0] == 0
    for name in RESULT | {"mapping.yaml"}:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name


def test_csv_in_gbk_excel_json_lines_and_parquet_are_matched_with_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = ["客户名称", "联系电话", "地址"]
    row = dict(zip(columns, ["深圳市腾讯计算机系统有限公司", "0755-86013388", "深圳市南山区科技园"], strict=True))
    other = dict(zip(columns, ["华为技术有限公司", "0755-28780808", "深圳市龙岗区坂田"], strict=True))
    write("gbk.csv", [row, other], encoding="gb18030")
    Path("lines.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist([row]), "table.parquet")
    Path("book.xlsx").write_bytes(workbook({"S": sheet([columns, list(other.values())])}))
    report = data(capsys, "gbk.csv", "book.xlsx", "lines.jsonl", "table.parquet", "--out", "result")
    assert (report["records"], report["clusters"]) == (5, 2)
    assert {r["cluster_id"]: r["file"] for r in table("result/clusters.csv")} == {
        "1": "table.parquet",
        "2": "book.xlsx",
    }


def test_a_given_mapping_is_used_and_none_is_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    write("data.csv", [{"a": "Acme Ltd", "b": "x@acme.test"}, {"a": "Acme Limited", "b": "x@acme.test"}])
    Path("map.yaml").write_text("customer:\n  kind: organisation\n  name: a\n  emails: [b]\n")
    report = data(capsys, "data.csv", "--mapping", "map.yaml", "--out", "result")
    assert report["clusters"] == 1
    assert {path.name for path in Path("result").iterdir()} == RESULT


def test_a_proposed_mapping_is_shown_and_can_be_used_again(capsys: pytest.CaptureFixture[str]) -> None:
    file = write("people.csv", people(30))
    code, _, err = kehu(capsys, file, "--out", "result")
    assert code == 0
    assert 'given_name: "first_name"' in err
    before = table("result/clusters.csv")
    assert kehu(capsys, file, "--mapping", "result/mapping.yaml", "--out", "result", "--replace")[0] == 0
    assert table("result/clusters.csv") == before


def test_the_truth_is_never_looked_at_by_the_proposal(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"email": f"entity{n}@example.org", "name": f"Customer number {n}"} for n in range(5)]
    data(capsys, write("data.csv", rows), "--truth", "email", "--out", "result")
    assert "email" not in Path("result/mapping.yaml").read_text()


def test_rows_of_a_company_and_its_contact_person_are_two_customers(capsys: pytest.CaptureFixture[str]) -> None:
    write("data.csv", [{"company": "Acme Ltd", "person": "Anna Smith", "mail": "anna@acme.test"}])
    Path("map.yaml").write_text(
        "customers:\n  - kind: organisation\n    name: company\n"
        "  - part: contact\n    kind: person\n    name: person\n    emails: [mail]\n"
    )
    data(capsys, "data.csv", "--mapping", "map.yaml", "--out", "result")
    assert [(r["cluster_id"], r["part"]) for r in table("result/clusters.csv")] == [("1", ""), ("2", "contact")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Name at least one file."),
        (["nosuch.csv"], 2, "nosuch.csv is not there"),
        (["."], 2, "is not there, or is no file"),
        (["empty.csv"], 2, "There is no row in empty.csv."),
        (["people.csv", "--truth", "cluster"], 2, "The columns are: who, first_name, last_name, email, date_of_birth."),
        (["people.csv", "--out", "taken"], 2, "The folder taken exists already and is not empty."),
        (["people.csv", "--out", "people.csv"], 2, "people.csv is a file."),
        (["people.csv", "--mapping", "blind.yaml"], 3, "the mapping yields nothing that can be compared"),
        (["people.csv", "--mapping", "broken.yaml"], 3, "did you mean “kind”"),
        (["people.weird"], 3, "files ending in .weird cannot be read"),
        (["broken.xlsx"], 3, "broken.xlsx"),
    ],
)
def test_what_cannot_work_is_refused_in_words_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    write("people.csv", people(3))
    write("people.weird", people(3))
    Path("empty.csv").write_text("name,email\n")
    Path("broken.xlsx").write_bytes(b"PK\x03\x04 not really")
    Path("blind.yaml").write_text("customer:\n  kind: person\n  name: nosuch\n")
    Path("broken.yaml").write_text("customer:\n  kimd: person\n")
    Path("taken").mkdir()
    Path("taken/mine.txt").write_text("keep")
    before = {str(path) for path in Path().rglob("*")}
    got, out, err = kehu(capsys, *arguments)
    assert (got, out) == (code, ""), err
    assert message in err
    assert {str(path) for path in Path().rglob("*")} == before


def test_replace_overwrites_a_result_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    file = write("people.csv", people(10))
    Path("result").mkdir()
    Path("result/mine.txt").write_text("keep")
    Path("result/clusters.csv").write_text("old")
    assert kehu(capsys, file, "--out", "result", "--replace")[0] == 0
    assert Path("result/mine.txt").read_text() == "keep"
    assert Path("result/clusters.csv").read_text(encoding="utf-8-sig").startswith("cluster_id")


def test_unreadable_and_unmappable_rows_are_listed_with_their_reason_and_the_rest_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = b'{"name": "Acme Ltd", "email": "x@acme.test"}\n'
    bad = b'{"name": "\\ud800 x", "email": "y@acme.test"}\n' + b"not json\n" + b'{"name": "", "email": ""}\n'
    huge = b'{"name": "' + b"x" * 1_000_001 + b'"}\n' + b'{"name": "' + b"x" * 900_000 + b'", "email": "z@a.test"}\n'
    Path("data.jsonl").write_bytes(good + bad + huge + good)
    report = data(capsys, "data.jsonl", "--out", "result", code=4)
    assert report["rows"] == {"read": 7, "unreadable": 3, "unmapped": 2, "filtered": 0}
    rejected = table("result/rejected.csv")
    assert [row["row"] for row in rejected] == ["2", "3", "4", "5", "6"]
    assert all(row["reason"] for row in rejected)
    clusters = table("result/clusters.csv")
    assert [(row["row"], row["cluster_id"]) for row in clusters] == [("1", "1"), ("4", ""), ("6", ""), ("7", "1")]


def test_no_cell_is_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    evil = ["=cmd|' /C calc'!A0", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1+1"]
    rows = [{"name": text, "email": f"a{n}@example.org", "=head": text} for n, text in enumerate(evil)]
    data(capsys, write("data.csv", rows), "--out", "result")
    for path in Path("result").glob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        risky = [cell for cell in cells if re.match(r"\s*[=+\-@＝]", cell) and not re.fullmatch(r"-?\d+\.?\d*", cell)]
        assert risky == [], path.name


class Page(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_escapes_everything_and_loads_nothing(capsys: pytest.CaptureFixture[str], lang: str) -> None:
    evil = "<script>alert(1)</script>"
    rows = [{**row, "last_name": row["last_name"] + evil + '"><img src=x onerror=alert(2)>'} for row in people(60)]
    assert kehu(capsys, write("a<b>&'.csv", rows), "--out", "result", "--lang", lang)[0] == 0
    page = Path("result/summary.html").read_text(encoding="utf-8")
    tags = Page(page).found
    assert {tag for tag, _ in tags} & {"script", "img", "iframe", "link", "object"} == set()
    assert not any(name.startswith("on") or name in ("src", "href") for _, given in tags for name in given)
    assert ("html", {"lang": lang}) in tags
    assert "rect" in {tag for tag, _ in tags}
    assert ("The riskiest customers" in page) == (lang == "en")


def test_the_page_shows_the_weakest_links_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert kehu(capsys, write("people.csv", people()), "--out", "result")[0] == 0
    page = Path("result/summary.html").read_text(encoding="utf-8")
    weights = [float(found) for found in re.findall(r"weakest link: ([+-][\d.]+)", page)]
    assert len(weights) > 5
    assert weights == sorted(weights)


def test_thousands_of_equal_rows_are_one_customer_in_little_time(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "Zhang Wei", "email": "zw@example.org", "phone": "13812345678"}] * 20_000
    report = data(capsys, write("equal.csv", rows), "--out", "result")
    assert (report["clusters"], report["duplicates"]) == (1, 19_999)
    assert len(table("result/links.csv")) == 19_999
