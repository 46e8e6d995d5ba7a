"""kehu itself, as a process: ``python -m benchmarks.sync.subject FOLDER MODE``; MODE is incremental or full.

The project in FOLDER is synced in this very process, by the same code that workers run.
"""

from __future__ import annotations

import sys

from sync import collector


def main(folder: str, mode: str) -> None:
    """One run of every stream; fails unless it succeeds and its counts add up."""
    collector.begin()  # as the console script does
    from sync.oneshot import finish, request, targets
    from sync.project import Project
    from sync.runs.states import RunMode

    project = Project.load(folder)
    with project.database.hot_transaction() as connection:
        project.register(connection)
    runs = finish(project, request(project, targets(project, []), RunMode(mode)), lambda _: None)
    project.close()  # as the console script does
    for run in runs:
        print(run.status, run.counts, flush=True)
        assert run.status == "succeeded", run


if __name__ == "__main__":
    main(*sys.argv[1:])
