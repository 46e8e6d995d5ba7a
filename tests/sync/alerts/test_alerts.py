"""Alerts: told once when something begins to be wrong, once when it is over, to real receivers, over restarts."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiosmtpd.controller import Controller
from pydantic import ValidationError
from sqlalchemy import insert, select, update
from standardwebhooks.webhooks import Webhook

from sync import migrations
from sync.alerts import judging, sending, watching, wording
from sync.alerts.tables import alert_notice, alert_state
from sync.alerts.wording import Notice
from sync.database import Database
from sync.delivery.tables import webhook_endpoint
from sync.project import Project
from sync.runs.tables import connection as connections
from sync.runs.tables import quarantine, schedule, stream_state, sync_run
from sync.settings import AlertSettings
from tests.master_kit import master
from tests.processes import free_port

START = datetime.now(UTC).replace(microsecond=0)
SECRET = "whsec_" + "A" * 43 + "="


Make = Callable[[str], Project]


class Receiver:
    """A real HTTP server that keeps what it was sent; ``status`` and ``answer`` are what it says."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.answer = 200, b"{}"
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("content-length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class Mailbox:
    """What a real mail server has taken; refuses while ``refuse`` is set."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.refuse = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuse:
            return "451 not now"
        self.got.append(envelope)
        return "250 OK"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=(port := free_port()))
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at today's schema, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    (folder / "kehu.yaml").write_text("connections: {}\n")
    project = Project.load(folder)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        connection.execute(insert(connections).values(id=1, name="erp", connector="x", created_at=START))
        values = {"id": 1, "connection_id": 1, "name": "customers", "succeeded_at": START}
        connection.execute(insert(stream_state).values(**values))
    path = Path(str(project.database.url.database))
    project.close()
    return path


@pytest.fixture
def make(tmp_path: Path, migrated: Path) -> Iterator[Make]:
    """Makes the project with these alerts."""
    made: list[Project] = []

    def making(alerts: str) -> Project:
        (tmp_path / "kehu.yaml").write_text(f"language: en\nconnections: {{}}\nalerts:\n{alerts}")
        made.append(Project.load(tmp_path))
        shutil.copy(migrated, made[-1].state_folder / "kehu.db")
        return made[-1]

    yield making
    for project in made:
        project.close()


@pytest.fixture
def project(make: Make, receiver: Receiver, mail: tuple[Mailbox, int]) -> Project:
    """A project that tells by webhook and by mail, at once."""
    server = f"host: 127.0.0.1, port: {mail[1]}, security: none"
    return make(
        f"  settle: 0\n  quarantine: 2\n"
        f"  webhook: {{url: '{receiver.url}', secret: {SECRET}, allow_private: [127.0.0.1]}}\n"
        f"  email: {{{server}, from: kehu@example.com, to: [it@example.com]}}\n"
    )


def fail(project: Project, *, paused: bool = True, code: str = "bad_credentials") -> None:
    reason = '{"template": "The password is wrong.", "params": {}}'
    values = {"state": "paused" if paused else "active", "reason_code": code, "reason": reason, "remedy": "Correct it."}
    with project.database.transaction() as connection:
        connection.execute(update(connections).values(**values))


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [orjson.loads(body) for _headers, body in receiver.got]


def test_a_fault_is_told_once_and_its_end_once(project: Project, receiver: Receiver, mail: tuple[Mailbox, int]) -> None:
    assert watching.once(project) == 0
    fail(project)
    assert watching.once(project) == 2
    for _ in range(5):
        assert watching.once(project) == 0
    fail(project, paused=False)
    assert watching.once(project) == 2
    assert watching.once(project) == 0
    raised, recovered = bodies(receiver)
    assert (raised["type"], raised["kind"], raised["subject"]) == ("alert.raised", "connection", "erp")
    assert raised["title"] == "Connection erp does not work"
    assert (raised["text"], raised["remedy"]) == ("The password is wrong.", "Correct it.")
    assert (recovered["type"], recovered["title"]) == ("alert.recovered", "Connection erp works again")
    subjects = [message.content.decode() for message in mail[0].got]
    assert "Subject: [kehu] Connection erp does not work" in subjects[0]
    assert "The password is wrong." in subjects[0]
    assert "Auto-Submitted: auto-generated" in subjects[0]
    assert "works again" in subjects[1]
    assert mail[0].got[0].rcpt_tos == ["it@example.com"]


def test_webhooks_are_signed_and_carry_the_same_id_when_repeated(project: Project, receiver: Receiver) -> None:
    fail(project)
    receiver.status = 500
    watching.once(project, START)
    receiver.status = 200
    watching.once(project, START + timedelta(minutes=5))
    (first, body), (again, _) = receiver.got
    assert first["webhook-id"] == again["webhook-id"]
    Webhook(SECRET).verify(body, first)


def test_a_restart_repeats_nothing(project: Project, receiver: Receiver) -> None:
    fail(project)
    watching.once(project)
    restarted = Project.load(project.path)
    assert watching.once(restarted) == 0
    restarted.close()
    assert len(receiver.got) == 1


def test_what_a_receiver_did_not_take_is_sent_again_later_and_then_given_up(
    project: Project, receiver: Receiver, mail: tuple[Mailbox, int]
) -> None:
    fail(project)
    receiver.status, mail[0].refuse = 503, True
    assert watching.once(project, START) == 0
    assert watching.once(project, START + timedelta(seconds=5)) == 0
    assert len(receiver.got) == 1, "not before its time"
    now = START
    for _ in range(len(sending.DELAYS) + 3):
        now += timedelta(hours=2)
        watching.once(project, now)
    with project.database.reading() as connection:
        rows = connection.execute(select(alert_notice)).all()
    assert {row.state for row in rows} == {"given_up"}
    assert all("503" in row.error or "451" in row.error for row in rows)
    assert len(receiver.got) == len(sending.DELAYS) + 1


def test_what_comes_and_goes_quickly_is_told_by_nobody(make: Make, receiver: Receiver) -> None:
    project = make(f"  settle: 60s\n  webhook: {{url: '{receiver.url}', allow_private: [127.0.0.1]}}\n")
    for second in range(0, 300, 20):
        fail(project, paused=second % 40 == 0)
        watching.once(project, START + timedelta(seconds=second))
    assert receiver.got == []
    fail(project)
    for second in (300, 330, 361, 400):
        watching.once(project, START + timedelta(seconds=second))
    assert [body["type"] for body in bodies(receiver)] == ["alert.raised"]


def test_what_was_paused_on_purpose_is_not_wrong(project: Project, receiver: Receiver) -> None:
    fail(project, code="paused_by_user")
    watching.once(project)
    assert receiver.got == []


def test_a_failed_run_is_told_until_one_succeeds(project: Project, receiver: Receiver) -> None:
    def ended(status: str) -> None:
        error = (
            '{"template": "There is no connection {name}.", "params": {"name": "x"}}' if status == "failed" else None
        )
        row = {"stream_id": 1, "mode": "full", "status": status, "trigger": "schedule", "queued_at": START}
        with project.database.transaction() as connection:
            connection.execute(insert(sync_run).values(**row, finished_at=START, error=error))

    for status in ("failed", "failed", "succeeded", "succeeded"):
        ended(status)
        watching.once(project)
    assert [body["type"] for body in bodies(receiver)] == ["alert.raised", "alert.recovered"]
    assert bodies(receiver)[0]["text"] == "There is no connection x."


def test_a_stream_that_is_late_is_told_with_its_target(project: Project, receiver: Receiver) -> None:
    with project.database.transaction() as connection:
        connection.execute(insert(schedule).values(stream_id=1, every_seconds=60, next_at=0))
        ago = datetime.now(UTC) - timedelta(minutes=10)
        connection.execute(update(stream_state).values(succeeded_at=ago))
    watching.once(project)
    with project.database.transaction() as connection:
        connection.execute(update(stream_state).values(succeeded_at=datetime.now(UTC)))
    watching.once(project)
    raised, recovered = bodies(receiver)
    assert (raised["kind"], raised["subject"]) == ("stream", "erp.customers")
    assert "10 minutes; its target is 3" in raised["text"]
    assert recovered["type"] == "alert.recovered"


def test_quarantine_is_told_above_its_threshold(project: Project, receiver: Receiver) -> None:
    def put(number: int) -> None:
        values = dict.fromkeys(("path", "value", "rule", "remedy"), "") | {"code": "x", "message": "{}", "payload": b""}
        row = {"stream_id": 1, "source_id": str(number), "state": "open", **values}
        with project.database.transaction() as connection:
            connection.execute(insert(quarantine).values(**row, first_seen_at=START, last_seen_at=START))

    for number in range(4):
        put(number)
        watching.once(project)
    assert [body["kind"] for body in bodies(receiver)] == ["quarantine"]
    with project.database.transaction() as connection:
        connection.execute(update(quarantine).values(state="resolved"))
    watching.once(project)
    assert [body["type"] for body in bodies(receiver)] == ["alert.raised", "alert.recovered"]


def test_a_webhook_endpoint_that_fails_is_told(project: Project, receiver: Receiver) -> None:
    row = {
        "id": "ep1",
        "url": "https://x",
        "types": "[]",
        "payload": "full",
        "state": "active",
        "secret": b"",
        "position": 0,
    }
    row |= {"revision": 1, "created_by": "x", "created_at": START, "changed_at": START, "failures": 7}
    with project.database.transaction() as connection:
        connection.execute(insert(webhook_endpoint).values(**row, failing_since=START))
    watching.once(project)
    assert "failed 7 times" in bodies(receiver)[0]["text"]
    with project.database.transaction() as connection:
        connection.execute(update(webhook_endpoint).values(state="disabled", reason="by_hand"))
    watching.once(project)
    assert bodies(receiver)[1]["type"] == "alert.recovered", "somebody knows of it"


def test_what_is_taken_out_of_the_configuration_is_forgotten(project: Project, receiver: Receiver) -> None:
    fail(project)
    watching.once(project)
    with project.database.transaction() as connection:
        connection.execute(update(connections).values(removed_at=START))
    for _ in range(3):
        watching.once(project)
    with project.database.reading() as connection:
        assert connection.execute(select(alert_state)).all() == []
    assert len(receiver.got) == 2


def test_only_one_of_two_processes_sends_a_notice(project: Project, receiver: Receiver) -> None:
    fail(project)
    with project.database.transaction() as connection:
        judging.judge(connection, project.settings.alerts, START)
    threads = [threading.Thread(target=sending.send_due, args=(project, project.database)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.got) == 1


def test_an_address_inside_the_network_is_refused_unless_allowed(make: Make, receiver: Receiver) -> None:
    project = make(f"  settle: 0\n  webhook: {{url: '{receiver.url}'}}\n")
    fail(project)
    watching.once(project)
    with project.database.reading() as connection:
        row = connection.execute(select(alert_notice)).one()
    assert (row.state, receiver.got) == ("due", [])
    assert "address guard" in row.error


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("wecom", ("text", "content")),
        ("dingtalk", ("text", "content")),
        ("feishu", ("content", "text")),
        ("slack", ("text",)),
    ],
)
def test_robots_of_group_chats_are_spoken_to_in_their_form(form: str, content: tuple[str, ...]) -> None:
    notice = Notice(1, "connection", "erp", False, '{"template": "x", "params": {}}', None, START)
    data = orjson.loads(wording.hook_body(notice, form, "zh"))
    for part in content:
        data = data[part]
    assert data.startswith("连接 erp 无法工作\nx\n")


def test_a_robot_that_says_no_in_its_body_is_believed(make: Make, receiver: Receiver) -> None:
    alerts = f"  settle: 0\n  webhook: {{url: '{receiver.url}', format: wecom, allow_private: [127.0.0.1]}}\n"
    project = make(alerts)
    fail(project)
    receiver.answer = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
    assert watching.once(project, START) == 0
    receiver.answer = b'{"errcode": 0, "errmsg": "ok"}'
    assert watching.once(project, START + timedelta(hours=1)) == 1


def test_nothing_is_looked_at_where_nobody_is_told(make: Make) -> None:
    project = make("  quarantine: 1\n")
    fail(project)
    watching.watch(project, threading.Event())
    with project.database.reading() as connection:
        assert connection.execute(select(alert_state)).all() == []


def test_the_loop_goes_on_until_it_is_told_to_stop(project: Project, receiver: Receiver) -> None:
    fail(project)
    stop = threading.Event()
    thread = threading.Thread(target=watching.watch, args=(project, stop, 0.01))
    thread.start()
    for _ in range(300):
        if receiver.got:
            break
        stop.wait(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(receiver.got) == 1


@pytest.mark.parametrize("wrong", [{"email": {"host": "x", "from": "a@b.c", "to": ["two@x.y, three@x.y"]}},
                                   {"webhook": {"url": "x", "format": "pigeon"}}, {"quarantine": -1}])  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AlertSettings.model_validate(wrong)


def test_the_channels_can_be_tried(project: Project, receiver: Receiver, mail: tuple[Mailbox, int]) -> None:
    from sync.cli import run

    assert run(["-C", str(project.folder), "alert", "test"]) == 0
    assert bodies(receiver)[0]["title"] == "Alerts of kehu reach you"
    assert len(mail[0].got) == 1
    receiver.status = 500
    assert run(["-C", str(project.folder), "alert", "test"]) == 1
    assert run(["-C", str(project.folder), "alert", "list"]) == 0


@pytest.mark.services
def test_states_are_kept_on_postgresql_too(postgres_url: str) -> None:
    settings = AlertSettings.model_validate({"settle": 0, "webhook": {"url": "https://x"}})
    with master(postgres_url) as database:
        _raise(database)
        counts = []
        for _ in range(3):
            with database.transaction() as connection:
                counts.append(judging.judge(connection, settings, START))
        assert counts == [1, 0, 0]


def _raise(database: Database) -> None:
    with database.transaction() as connection:
        paused = update(connections).where(connections.c.name == "erp")
        connection.execute(paused.values(state="paused", reason_code="x"))
