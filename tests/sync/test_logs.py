"""Loggers load structlog late, and say the same as its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sync import logs
from sync.cli import logfile
from sync.cli.session import Globals
from sync.logs import Logger


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_line_reaches_structlog_with_its_level_and_values(level: str) -> None:
    with capture_logs() as lines:
        getattr(Logger("x"), level)("page stored", records=10)
    assert lines == [{"event": "page stored", "records": 10, "log_level": level}]


def test_a_sync_by_hand_loads_neither_rich_nor_numpy_nor_the_client_of_the_broker() -> None:
    program = (
        "import sys, sync.oneshot, sync.project, connectors.rest, mappings.compile, mappings.matching.rules;"
        "print([name for name in ('structlog', 'rich', 'numpy', 'redis', 'dramatiq', 'opencc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_logging_is_set_up_with_the_first_line_and_only_once() -> None:
    calls: list[str] = []
    logs.configure_late(lambda: calls.append("set up"))
    assert calls == []
    with capture_logs():
        Logger("x").info("first")
        Logger("x").info("second")
    assert calls == ["set up"]


def test_a_command_logs_into_the_projects_folder_and_never_between_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / ".kehu").mkdir()
    program = (
        "from pathlib import Path; from sync import logs; from sync.cli import logfile;"
        "from sync.cli.session import Globals\n"
        f"logfile.keep(Globals(project=Path({str(tmp_path)!r})))\n"
        "try:\n    password = 'c4nary'; 1 / 0\nexcept ZeroDivisionError as error:\n"
        "    logs.Logger('run').error('the run failed', exc_info=error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    written = (tmp_path / ".kehu" / "logs" / "commands.log").read_text()
    assert (done.stdout, done.stderr) == ("", "")
    assert "ZeroDivisionError" in written
    assert "'c4nary'" not in written.replace("password = 'c4nary'", ""), "no values of variables in a traceback"


def test_a_log_that_has_become_large_is_set_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST", 10)
    log = tmp_path / "logs" / "commands.log"
    logs.rotate(log)
    for text in ("the first run's", "the second run's", "short"):
        log.write_text(text)
        logs.rotate(log)
    assert log.read_text() == "short"
    assert log.with_suffix(".log.1").read_text() == "the second run's"


def test_the_log_of_commands_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST", 10)
    log = tmp_path / ".kehu" / "logs" / logfile.FILE
    log.parent.mkdir(parents=True)
    log.write_text("many lines of earlier commands")
    logfile.keep(Globals(tmp_path))
    Logger("x").info("this command's")
    assert log.read_text().count("\n") == 1
