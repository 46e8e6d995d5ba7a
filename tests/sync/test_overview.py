"""The overview: every stream's state, and customers that several systems know; where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import migrations, oneshot, overview, provenance
from sync.master import queries
from sync.overview import StreamOverview
from sync.project import Project

SETTINGS = """
region: CN
connections:
  erp:
    connector: files
    priority: 1
    settings: {streams: {customers: {path: erp.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: m.yaml}}
  shop:
    connector: files
    every: never
    settings: {streams: {customers: {path: shop.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: m.yaml}}
survivorship: {name: source_priority}
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [email]\n  phones: [phone]\n"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "m.yaml").write_text(MAPPING)
    (tmp_path / "erp.csv").write_text(
        "id,name,email,phone\n1,张伟,zhang@example.com,13800138001\n2,李娜,,13900139001\n"
    )
    (tmp_path / "shop.csv").write_text("id,name,email,phone\n7,Zhang Wei,zhang@example.com,13800138001\n8,,,\n")
    database = "" if request.param == "sqlite" else f"database: {request.getfixturevalue('postgres_url')}\n"
    (tmp_path / "kehu.yaml").write_text(SETTINGS + database)
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, [])), lambda _views: None)
    yield made
    made.close()


def test_every_stream_is_there_with_counts_schedule_and_freshness(project: Project) -> None:
    with project.database.reading() as connection:
        erp, shop = overview.streams(connection)
    assert (erp.connection, erp.records, erp.quarantined, erp.every_seconds) == ("erp", 2, 0, 900)
    assert (shop.records, shop.quarantined, shop.every_seconds) == (1, 1, None)
    assert erp.run is not None
    assert (erp.run.status, erp.run.created) == ("succeeded", 2)
    assert erp.fresh_seconds is not None
    assert erp.fresh_seconds < 60
    assert not erp.late
    assert not shop.late


def test_a_scheduled_stream_that_does_not_succeed_is_late(project: Project) -> None:
    with project.database.reading() as connection:
        erp: StreamOverview = overview.streams(connection)[0]
    assert erp._replace(fresh_seconds=None, run=None).late
    assert not erp._replace(fresh_seconds=None).late, "its first run was asked for a moment ago"
    assert erp._replace(fresh_seconds=3 * 900 + 1).late
    assert not erp._replace(fresh_seconds=None, paused=True).late
    assert not erp._replace(fresh_seconds=None, removed=True).late


def test_customers_known_to_several_systems_come_first(project: Project) -> None:
    with project.database.reading() as connection:
        first, second = overview.most_shared(connection, 5)
        histogram = overview.members_histogram(connection)
    assert (first.records, first.connections) == (2, ("erp", "shop"))
    assert second.connections == ("erp",)
    assert histogram == {1: 1, 2: 1}


def test_each_value_names_its_source_its_rule_and_what_came_second(project: Project) -> None:
    with project.database.reading() as connection:
        (found,) = queries.search(connection, "zhang@example.com")
        customer = queries.get(connection, found.id)
        assert customer is not None
        fields = {one.field: one for one in provenance.of_customer(connection, customer, project.survivorship)}
    assert fields["name"].value == "张伟"
    assert (fields["name"].rule, fields["name"].sources) == ("source_priority", ("erp/customers/1",))
    assert (fields["name"].runner_up, fields["name"].runner_up_source) == ("Zhang Wei", "shop/customers/7")
    assert set(fields["emails"].sources) == {"erp/customers/1", "shop/customers/7"}
    assert {name: one.value for name, one in fields.items()} == customer.golden
