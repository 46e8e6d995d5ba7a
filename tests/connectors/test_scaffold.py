"""A scaffolded plugin, really installed by pip, is listed and passes the conformance suite as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from connectors.errors import BadConfiguration
from connectors.quality import Grade
from connectors.registry import ENTRY_POINT_GROUP, load_registry
from connectors.scaffold import scaffold

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scaffold") / "kehu-acme-crm"
    scaffold("acme_crm", folder)
    return folder


@pytest.fixture(scope="module")
def site(plugin, tmp_path_factory) -> Path:
    """A folder into which pip installed the plugin, as ``pip install`` would into an environment."""
    pytest.importorskip("hatchling")
    target = tmp_path_factory.mktemp("site")
    command = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, *command, str(plugin)], check=True, capture_output=True)
    return target


def run(*command: str, site: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )


@pytest.mark.slow
def test_the_installed_plugin_passes_its_own_tests(plugin, site):
    result = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(plugin / "tests"), site=site, folder=plugin)
    assert result.returncode == 0, result.stdout[-3000:]
    passed = int(result.stdout.split(" passed")[0].split()[-1])
    assert passed >= 25


def test_the_registry_lists_the_installed_plugin(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    entries = [e for d in distributions(path=[str(site)]) for e in d.entry_points if e.group == ENTRY_POINT_GROUP]
    info = load_registry(plugins=entries).get("acme_crm")
    assert info.broken is None
    assert info.origin == "kehu-acme-crm"
    assert info.load().__name__ == "AcmeCrmConnector"
    assert info.docs is not None
    assert info.rate is not None
    assert info.quality is not None
    assert info.grade is Grade.NONE


def test_the_generated_code_is_clean(plugin):
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run(
        [*ruff, "check", "--ignore", "I001", "--config", str(ROOT / "pyproject.toml"), str(plugin / "kehu_acme_crm")],
        check=True,
    )


def test_a_dry_run_writes_nothing(tmp_path):
    files = scaffold("acme_crm", tmp_path / "new", dry_run=True)
    assert tmp_path / "new" / "kehu_acme_crm" / "manifest.yaml" in files
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["", "Acme", "acme-crm", "1acme", "acme__crm", "../acme", "import", "a" * 41, "files"])
def test_a_name_that_cannot_be_an_id_is_refused(tmp_path, name):
    with pytest.raises(BadConfiguration):
        scaffold(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadConfiguration, match="is not empty"):
        scaffold("acme", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
