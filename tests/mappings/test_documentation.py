"""The documentation of mappings says what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

from mappings.compile import MappingDefaults, compile_mapping
from mappings.spec import load_spec

DOCS = Path(__file__).parents[2] / "docs"


def test_generated_documents_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for path, text in generate.generated().items():
        assert path.read_text("utf-8") == text, f"run `python docs/generate.py`: {path.name} is stale"


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / "mapping.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", examples(), ids=lambda text: text.split("\n")[0][:30])
def test_every_example_of_the_guide_compiles(example: str, tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text("code,iso\nD,DE\n")
    text = example
    if text.startswith("  "):
        text = "customer:\n  kind: person\n  name: n\n" + text
    elif "kind:" not in text and "extends" not in text:
        text = text.replace("customer:\n", "customer:\n  kind: person\n")
    file = tmp_path / "mapping.yaml"
    file.write_text(text, "utf-8")
    default = "customer: {kind: organisation, name: name, website: web}"
    compile_mapping(load_spec(file, default=default), defaults=MappingDefaults(attributes={"tier": "text"}))


def test_the_guide_has_examples() -> None:
    assert len(examples()) >= 5
