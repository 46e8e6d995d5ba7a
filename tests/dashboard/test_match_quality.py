"""Match quality: what weights and people tell, versions compared and put in force from the page."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from dashboard import remembered
from dashboard.charts import HEIGHT, WIDTH
from dashboard.histogram import histogram
from dashboard.pages import matching
from dashboard.waterfall import waterfall
from sync.identity.permissions import Role
from sync.matching import store, switching
from sync.project import Project
from sync.runs import pending
from sync.stewardship import quality
from sync.stewardship.quality import Bin
from tests import desk_kit
from tests.desk_kit import customer_of, token

BINS = st.lists(st.integers(0, 10**7), min_size=1, max_size=45).map(
    lambda counts: [Bin(quality.LOWEST + place, count) for place, count in enumerate(counts)]
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("desk") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


@given(BINS)
def test_every_bar_stays_in_its_box_and_what_is_there_is_seen(bins: list[Bin]) -> None:
    chart = histogram(bins, -4.0, 2.0)
    for column in chart.columns:
        assert 0 <= column.x <= column.x + column.width <= WIDTH + 0.2
        assert column.y + 0.11 >= 0
        assert column.y + column.height <= HEIGHT + 0.2
        assert (column.height > 0) == (column.pairs > 0)


@given(
    st.floats(-30, 0),
    st.lists(st.floats(-20, 20), max_size=12),
    st.none() | st.floats(-10, 0),
    st.none() | st.floats(0, 10),
)
def test_a_waterfall_adds_up_and_stays_in_its_box(
    prior: float, weights: list[float], low: float | None, high: float | None
) -> None:
    steps = [{"comparison": "c", "level": "l", "weight": one, "adjustment": 0.0} for one in weights]
    fall = waterfall(prior, steps, low, high)
    assert sum(step.weight for step in fall.steps) == pytest.approx(fall.total, abs=1e-6)
    for x, width in [(step.x, step.width) for step in fall.steps] + [(fall.bar.x, fall.bar.width)]:
        assert 0 <= x <= x + width <= 603
    assert 0 <= fall.zero <= 600


def test_the_interval_of_a_share_is_wilson_s() -> None:
    low, high = quality.wilson(81, 263) or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)  # Newcombe (1998), table I
    assert quality.wilson(0, 0) is None
    nothing = quality.wilson(0, 10)
    assert nothing is not None
    assert nothing[0] == 0.0


def test_the_page_shows_weights_versions_and_thresholds(client: TestClient, project: Project) -> None:
    page = client.get("/matching").text
    assert "Version 1 decides which records are one customer." in page
    assert re.search(r'<rect class="review" [^>]*height="[1-9]', page)
    with project.database.reading() as connection:
        bins = quality.histogram(connection)
    assert sum(one.pairs for one in bins) >= 4
    assert "for stewards, from -4" in page


def test_nobody_waits_until_a_million_pairs_are_counted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "SMALL", 0)
    monkeypatch.setattr(remembered.Remembered, "soon", lambda *_: None)
    page = client.get("/matching").text
    assert 'hx-get="/matching/weights"' in page
    assert "for stewards, from -4" not in page
    assert "for stewards, from -4" in client.get("/matching/weights").text


def test_precision_is_estimated_from_what_people_decided(client: TestClient, project: Project) -> None:
    pair = {"left": "shop/customers/1", "right": "erp/customers/A1"}
    ids = [customer_of(project, "shop", "1"), customer_of(project, "erp", "A1")]
    answer = client.post("/duplicates/review", data={"csrf": token(client), "said": "different", "c": ids, **pair})
    assert answer.status_code == 303
    with project.database.reading() as connection:
        bands = quality.bands(connection, -4.0, 2.0)
    assert [(band.same, band.different) for band in bands] == [(0, 0), (0, 1), (0, 0), (0, 0)]
    assert bands[1].share == 0.0


def wait_until_learnt(client: TestClient) -> str:
    for _ in range(200):
        page = str(client.get("/matching").text)
        if "A version is being learnt from the records" not in page:
            return page
        time.sleep(0.05)
    raise AssertionError("nothing was learnt in ten seconds")


def test_a_version_is_learnt_compared_and_put_in_force(client: TestClient, project: Project) -> None:
    answer = client.post("/matching", data={"csrf": token(client), "act": "learn"})
    assert answer.headers["location"] == "/matching?told=learning"
    page = wait_until_learnt(client)
    offered = re.findall(r'href="/matching/compare\?version=(\d+)"', page)
    assert offered, page
    version = max(map(int, offered))
    assert 'hx-get="/matching/compared?version=' in client.get(f"/matching/compare?version={version}").text
    compared = client.get(f"/matching/compared?version={version}").text
    assert "customers now" in compared
    data = {"csrf": token(client), "act": "use", "version": str(version), "seen": "1", "reason": "enough data"}
    assert client.post("/matching", data={**data, "seen": "77"}).status_code == 409
    assert client.post("/matching", data=data).headers["location"] == "/matching?told=switching"
    assert "A switch is under way" in client.get("/matching").text
    pending.resolve_pending(project)
    with project.database.reading() as connection:
        assert store.active(connection).number == version
        assert switching.history(connection, 1)[0].reason == "enough data"
    assert "enough data" in client.get("/matching").text


def test_a_viewer_may_look_but_not_learn_or_switch(project: Project) -> None:
    viewer = desk_kit.signed_in(project, Role.VIEWER)
    page = viewer.get("/matching").text
    assert 'value="learn"' not in page
    for act in ("learn", "use"):
        assert viewer.post("/matching", data={"csrf": token(viewer), "act": act}).status_code == 403


def test_a_version_that_is_not_there_is_a_page(client: TestClient) -> None:
    assert client.get("/matching/compare?version=4711").status_code == 404
    assert client.post("/matching", data={"csrf": token(client), "act": "dance"}).status_code == 422
    assert client.post("/matching", data={"act": "learn"}).status_code == 403
