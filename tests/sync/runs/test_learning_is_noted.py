"""That the first load has changed the match model stands at the run that ended it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync import migrations, oneshot
from sync.project import Project
from sync.runs import events

SETTINGS = """
language: en
matching: {model: probability, recalibrate: RECALIBRATE}
connections:
  erp:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml, every: never}}
"""


@pytest.mark.parametrize(("policy", "said"), [("first-load", "put in force"), ("ask", "is proposed")])
def test_a_model_that_is_learnt_from_the_first_load_is_an_event_of_its_run(
    tmp_path: Path, policy: str, said: str
) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text("customer: {kind: person, name: name, emails: [email]}\n")
    rows = (f"{n},Family{n % 40} Given{n % 7},g{n}@example.com" for n in range(130))
    (tmp_path / "customers.csv").write_text("\n".join(["id,name,email", *rows]) + "\n")
    (tmp_path / "kehu.yaml").write_text(SETTINGS.replace("RECALIBRATE", policy))
    project = Project.load(tmp_path)
    try:
        migrations.migrate(project.database)
        with project.database.transaction() as connection:
            project.register(connection)
        [first] = oneshot.finish(project, oneshot.request(project, oneshot.targets(project, [])), lambda _views: None)
        with project.database.reading() as connection:
            told = [event.text for event in events.of_run(connection, first.id)]
        [learnt] = [text for text in told if text.template.startswith("The first load is over")]
        assert said in learnt.template
        assert isinstance(learnt.params["version"], int)
    finally:
        project.close()
