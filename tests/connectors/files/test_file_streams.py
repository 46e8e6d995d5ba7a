"""What the engine relies on: positions, changed and replaced files, deletes, keys, and nothing outside the folder."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connectors.files
from connectors.conformance import ConformanceSuite, Source, Unsupported
from connectors.contract import Capability, Context, Deletes, Mode, Page, Read
from connectors.errors import BadConfiguration, CursorExpired, RetryLater, StreamBroken
from connectors.files.connector import FilesConnector
from connectors.files.keys import Keys, Seen, choose_key
from connectors.registry import load_registry
from tests.connectors.files.reading import connect, one, pages, read


class CsvFolder(Source):
    """Two GBK files that form one stream, edited as people do: by saving the whole file again."""

    connector = FilesConnector
    stream = "customers"
    folder = Path(connectors.files.__file__).parent

    def __init__(self, project: Path) -> None:
        self.project = project
        self.rows = {f"{i:03d}": "张伟" for i in range(8)}
        self.save()

    def save(self) -> None:
        items = sorted(self.rows.items())
        for name, part in (("a.csv", items[:4]), ("b.csv", items[4:])):
            text = "编号,姓名\n" + "".join(f"{key},{value}\n" for key, value in part)
            temporary = self.project / (name + ".tmp")
            temporary.write_bytes(text.encode("gbk"))
            temporary.replace(self.project / name)

    def settings(self) -> dict[str, Any]:
        return {"streams": {"customers": {"path": "*.csv", "key": "编号"}}, "settle_seconds": 0}

    def context(self) -> Context:
        return Context("conformance", folder=self.project)

    def keys(self) -> set[str]:
        return set(self.rows)

    def add(self) -> str:
        key = f"{len(self.rows):03d}"
        self.rows[key] = "新客户"
        self.save()
        return key

    def update(self, key: str) -> None:
        self.rows[key] += "改"
        self.save()

    def delete(self, key: str) -> None:
        del self.rows[key]
        self.save()

    def unreachable(self) -> dict[str, Any]:
        return {"streams": {"customers": "missing/*.csv"}}

    def tie(self, keys: object) -> None:
        raise Unsupported("rows of files have no change stamps")


class TestConformance(ConformanceSuite):
    """The files connector keeps every promise of the contract."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> CsvFolder:
        return CsvFolder(tmp_path)


def test_it_is_listed_and_graded() -> None:
    info = load_registry(plugins=[]).get("files")
    assert info.broken is None
    assert info.load() is FilesConnector


def write(path: Path, numbers: range, text: str = "x") -> Path:
    """A CSV of these ids, replaced in one step."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("id,name\n" + "".join(f"{i},{text}{i}\n" for i in numbers))
    return temporary.replace(path)


def test_nothing_changed_reads_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(10))
    connector = one(tmp_path, "a.csv")
    *_, last = pages(connector)
    (only,) = pages(connector, Mode.INCREMENTAL, last.cursor)
    assert (only.records, only.cursor) == ([], last.cursor)


def test_only_changed_files_are_read_again_and_vanished_ones_forgotten(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.csv", range(ord(name) * 10, ord(name) * 10 + 5))
    connector = one(tmp_path, "*.csv")
    *_, last = pages(connector)
    write(tmp_path / "b.csv", range(980, 987))
    (tmp_path / "c.csv").unlink()
    found = list(pages(connector, Mode.INCREMENTAL, last.cursor))
    assert {r.key for page in found for r in page.records} == {str(i) for i in range(980, 987)}
    assert len(found[-1].cursor["files"]) == 2


def keys_in(found: list[Page]) -> list[str]:
    """The keys of all records, in order."""
    return [record.key for page in found for record in page.records]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=4), size=st.integers(1, 7), keyed=st.booleans())
def test_every_cursor_continues_exactly_after_its_page(
    tmp_path: Path, sizes: list[int], size: int, keyed: bool
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    for number, rows in enumerate(sizes):
        lines = "".join(f"{number}-{i},{i % 3}\n" if keyed else f"{i % 3},same\n" for i in range(rows))
        (tmp_path / f"{number}.csv").write_text("id,name\n" + lines)
    connector = one(tmp_path, "*.csv", key="id" if keyed else [], header=1)
    whole = list(pages(connector, page_size=size))
    for number, page in enumerate(whole):
        cursor = orjson.loads(orjson.dumps(page.cursor))
        rest = list(pages(connector, cursor=cursor, page_size=size, resumed=True))
        assert keys_in(rest) == keys_in(whole[number + 1 :])


def test_a_file_replaced_while_it_is_read_is_read_again_without_mixing(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(100), "old")
    bodies: dict[str, Any] = {}
    found = pages(one(tmp_path, "a.csv"), page_size=10)
    for number, page in enumerate(found):
        versions = {orjson.loads(record.body)["name"][:3] for record in page.records}
        assert len(versions) <= 1
        bodies |= {record.key: orjson.loads(record.body)["name"] for record in page.records}
        if number == 3:
            write(tmp_path / "a.csv", range(120), "new")
    assert bodies == {str(i): f"new{i}" for i in range(120)}


def test_a_file_overwritten_in_place_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", range(5000), "old")
    bodies: dict[str, Any] = {}
    for number, page in enumerate(pages(one(tmp_path, "a.csv"), page_size=10)):
        if number == 1:
            path.write_text("id,name\n" + "".join(f"{i},new{i}\n" for i in range(5000)))
        bodies |= {record.key: orjson.loads(record.body)["name"] for record in page.records}
    assert bodies == {str(i): f"new{i}" for i in range(5000)}


def test_a_cursor_of_an_older_version_of_the_file_starts_it_again(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(30), "old")
    first = next(iter(pages(one(tmp_path, "a.csv"), page_size=10)))
    write(tmp_path / "a.csv", range(30), "new")
    bodies, _ = read(one(tmp_path, "a.csv"), cursor=first.cursor, resumed=True)
    assert bodies == {str(i): {"id": str(i), "name": f"new{i}"} for i in range(30)}


def test_a_file_that_never_stops_changing_is_left_for_later(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(100))
    changing = (write(tmp_path / "a.csv", range(100)) for _ in pages(one(tmp_path, "a.csv"), page_size=10))
    with pytest.raises(RetryLater, match="still being written"):
        list(changing)


def growing(path: Path, stop: threading.Event) -> None:
    """Append to a file until told to stop."""
    with path.open("a") as file:
        while not stop.wait(0.02):
            file.write("x,y\n")
            file.flush()


def test_a_growing_file_is_left_for_the_next_run_and_the_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.csv", range(3))
    os.utime(tmp_path / "a.csv", (1, 1))
    write(tmp_path / "b.csv", range(10, 13))
    stop = threading.Event()
    writer = threading.Thread(target=growing, args=(tmp_path / "b.csv", stop))
    writer.start()
    try:
        time.sleep(0.1)
        connector = connect(tmp_path, streams={"s": {"path": "*.csv"}}, settle_seconds=0.2)
        found = [r.key for page in pages(connector, Mode.INCREMENTAL) for r in page.records]
        assert found == ["0", "1", "2"]
        assert "b.csv is still being written" in caplog.text
        with pytest.raises(RetryLater, match=r"b\.csv is still being written"):
            list(pages(connector))
        with pytest.raises(RetryLater):
            list(connector.ids("s"))
    finally:
        stop.set()
        writer.join()


def test_a_file_saved_a_moment_ago_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(3))
    bodies, _ = read(connect(tmp_path, streams={"s": "a.csv"}, settle_seconds=0.3))
    assert len(bodies) == 3


@pytest.mark.parametrize("name", [".a.csv", "~$a.xlsx", "a.csv.part", "a.csv.crdownload", "a.tmp"])
def test_temporary_files_are_not_read(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.csv", range(3))
    (tmp_path / name).write_text("id,name\n9,z\n")
    for path in (".", "*"):
        assert set(read(one(tmp_path, path))[0]) == {"0", "1", "2"}


def test_a_folder_makes_one_stream_of_each_file(tmp_path: Path) -> None:
    write(tmp_path / "微信客户.csv", range(3))
    write(tmp_path / "fair.csv", range(4))
    (tmp_path / "readme.md").write_text("no data")
    streams = {stream.name: stream for stream in connect(tmp_path, path=".").discover()}
    assert set(streams) == {"微信客户", "fair"}
    assert [field.path for field in streams["fair"].fields] == ["id", "name"]


@pytest.mark.parametrize("path", ["nowhere.csv", "inbox", "inbox/*.csv"])
def test_the_check_names_the_path_at_which_there_is_no_data(tmp_path: Path, path: str) -> None:
    (tmp_path / "inbox").mkdir()
    with pytest.raises(BadConfiguration) as caught:
        connect(tmp_path, path=path).check()
    assert caught.value.setting == "path"
    assert path in str(caught.value)


def test_links_and_paths_out_of_the_project_are_refused(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "secret"
    project.mkdir()
    outside.mkdir()
    write(outside / "a.csv", range(3))
    (project / "link.csv").symlink_to(outside / "a.csv")
    (project / "folder").symlink_to(outside)
    for path in ("link.csv", "*.csv", "folder/*.csv", "folder", "../secret/a.csv", str(outside / "*.csv"), "**/a.csv"):
        try:
            rows, _ = read(one(project, path))
        except (BadConfiguration, StreamBroken):
            continue
        assert rows == {}, path
    allowed = connect(project, streams={"s": str(outside / "*.csv")}, outside=True)
    assert len(read(allowed)[0]) == 3


def test_a_pipe_in_the_folder_does_not_hang_the_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(StreamBroken, match="No file matches"):
        read(one(tmp_path, "a.csv"))


def test_a_snapshot_without_files_is_no_mass_delete(tmp_path: Path) -> None:
    with pytest.raises(StreamBroken, match="No file matches"):
        list(one(tmp_path, "*.csv").ids("s"))
    assert read(one(tmp_path, "*.csv", shape="append")) == ({}, [])


def test_deletes_follow_the_shape_unless_configured(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(3))
    for settings_, deletes, ids in (
        ({}, Deletes.SWEEP, True),
        ({"shape": "append"}, Deletes.NONE, False),
        ({"shape": "append", "deletes": "sweep"}, Deletes.SWEEP, True),
    ):
        (stream,) = one(tmp_path, "a.csv", **settings_).discover()
        assert (stream.deletes, Capability.IDS in stream.capabilities) == (deletes, ids)


def test_rows_whose_key_cannot_be_read_stop_the_sweep_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,name\n1,x\n2,bad\0\n3,\xff\n")
    assert [key for batch in one(tmp_path, "a.csv", encoding="utf-8").ids("s") for key in batch] == ["1", "2", "3"]
    (tmp_path / "a.csv").write_text('id,name\n1,x\n2,y,z\n3,"open\n4,z\n')
    assert [sorted(batch) for batch in one(tmp_path, "a.csv", key="id").ids("s")] == [["1", "2", "3", "4"]]
    (tmp_path / "a.csv").write_text("id,name\n1,x\n1,y,z\n")
    with pytest.raises(StreamBroken, match="cannot be told which records were deleted"):
        list(one(tmp_path, "a.csv").ids("s"))


def test_repeated_and_empty_keys_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,x\n2,y\n1,z\n,w\n" + "k" * 201 + ",v\n")
    bodies, rejected = read(one(tmp_path, "a.csv", key="id"), page_size=2)
    assert {key: body["name"] for key, body in bodies.items()} == {"1": "x", "2": "y"}
    assert len({bad.key for bad in rejected}) == 3


def test_rows_without_key_are_told_apart_by_content_and_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,city\nx,y\nx,y\nz,y\nx,y\n")
    first, _ = read(one(tmp_path, "a.csv", header=1), page_size=2)
    again, _ = read(one(tmp_path, "a.csv", header=1), page_size=3)
    assert len(first) == 4
    assert list(first) == list(again)


def test_composite_keys_cannot_collide() -> None:
    keys = Keys(["a", "b"])
    assert keys.of({"a": "1|2", "b": "3"}, b"") != keys.of({"a": "1", "b": "2|3"}, b"")
    assert Keys(["a"]).of({"a": 7}, b"") == Keys(["a"]).of({"a": " 7 "}, b"") == "7"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"姓名": "a", "客户编号": "1"}, {"姓名": "b", "客户编号": "2"}], ["客户编号"]),
        ([{"name": "a", "customer_id": "1"}, {"name": "b", "customer_id": "1"}], []),
        ([{"name": "a", "paid": "1"}, {"name": "b", "paid": "2"}], []),
        ([{"id": 1, "x": 1}, {"id": 2, "x": 1}], ["id"]),
        ([{"id": None}, {"id": 2}], []),
        ([{"CustomerID": "1"}, {"CustomerID": "2"}], ["CustomerID"]),
        ([], []),
    ],
)
def test_a_key_is_found_by_its_name_and_distinct_values(rows: list[dict[str, Any]], expected: list[str]) -> None:
    assert choose_key(rows) == expected


@given(st.lists(st.lists(st.integers(0, 60).map(str), max_size=30), max_size=12))
def test_repeated_keys_are_found_exactly(batches: list[list[str]]) -> None:
    seen, before = Seen(), set()
    for batch in batches:
        expected = []
        for index, key in enumerate(batch):
            if key in before:
                expected.append(index)
            before.add(key)
        assert seen.repeated(batch) == expected


def test_the_key_of_the_first_read_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(3))
    *_, last = pages(one(tmp_path, "*.csv"))
    (tmp_path / "0.csv").write_text("id,name\n7,a\n7,b\n")
    found = list(pages(one(tmp_path, "*.csv"), Mode.INCREMENTAL, last.cursor))
    assert [r.key for page in found for r in page.records] == ["7"]
    assert len(found[0].rejected) == 1


def test_a_backfill_takes_files_by_their_change_time(tmp_path: Path) -> None:
    for name, at in (("a", 1_000_000), ("b", 2_000_000)):
        os.utime(write(tmp_path / f"{name}.csv", range(ord(name), ord(name) + 1)), (at, at))
    since = datetime.fromtimestamp(1_500_000, UTC)
    connector = one(tmp_path, "*.csv", key="id")
    assert set(read(connector, since=since)[0]) == {str(ord("b"))}
    assert set(read(connector, until=since)[0]) == {str(ord("a"))}
    assert set(read(connector, since=since, until=since + timedelta(days=99))[0]) == {str(ord("b"))}


def test_a_foreign_cursor_expires(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", range(3))
    with pytest.raises(CursorExpired):
        list(pages(one(tmp_path, "a.csv"), cursor={"after": 7}))


def test_the_cursor_of_as_many_files_as_allowed_stays_small(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"a-rather-long-name-of-an-export-{number}.csv").write_text(f"id,name\n{number},x\n")
    connector = one(tmp_path, "*.csv", key="id")
    *_, last = pages(connector)
    assert len(orjson.dumps(last.cursor)) < 65_536
    (tmp_path / "one-more.csv").write_text("id,name\n")
    with pytest.raises(BadConfiguration, match="more than 1500 files"):
        read(connector)


@pytest.mark.parametrize(
    ("settings_", "named"),
    [
        ({}, "streams"),
        ({"streams": {"s": {"path": "a.csv", "encoding": "klingon"}}}, "klingon"),
        ({"streams": {"s": {"path": "a.csv", "deletes": "feed"}}}, "feed|sweep"),
        ({"streams": {"s": {"path": "a\0.csv"}}}, "NUL"),
        ({"streams": {"s": {"path": "a.docx", "format": None}}}, "docx"),
    ],
)
def test_wrong_settings_are_errors_that_name_them(tmp_path: Path, settings_: dict[str, Any], named: str) -> None:
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(BadConfiguration, match=named):
        list(connect(tmp_path, **settings_).read(Read("s")))


def test_the_check_tells_files_encoding_and_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("编号,姓名\n1,张伟\n".encode("gbk"))
    checked = one(tmp_path, "a.csv").check()
    assert checked.details["s"] == "files: 1, encoding: gb18030, key: 编号"
