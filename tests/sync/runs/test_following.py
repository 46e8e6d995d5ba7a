"""Workers look at the project's files before each message; faulty files stop nobody."""

from __future__ import annotations

from typing import Any

from connectors.errors import BadConfiguration
from sync.runs.following import FollowFiles


def test_every_message_is_preceded_by_a_look_and_faulty_files_stop_nobody() -> None:
    looks: list[bool] = []
    faulty = False

    def refresh() -> None:
        looks.append(faulty)
        if faulty:
            raise BadConfiguration("x")

    broker: Any = None
    follow = FollowFiles(refresh)
    follow.before_process_message(broker, object())
    faulty = True
    follow.before_process_message(broker, object())
    follow.before_process_message(broker, object())
    assert looks == [False, True, True]
