"""All English templates that users can meet, collected from the sources: the keys that a translation must have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).parent.parent
FOLDERS = ("connectors", "mappings", "sync", "dashboard")
FAMILIES = frozenset({"ConnectorError", "MappingError", "SyncError"})
PASSED_ON = frozenset({"bad_row", "_bad", "kind"})
"""Calls that hand a template on to an error."""
VALIDATING = frozenset({"config.py", "durations.py", "settings.py"})
"""Modules whose ValueErrors are what pydantic tells of settings."""
DYNAMIC = frozenset({"", "{message}"})


@cache
def templates() -> dict[str, str]:
    """Template to the place where it stands (the first one found)."""
    found: dict[str, str] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in _sources()}
    errors = _error_classes(trees.values())
    for path, tree in trees.items():
        settings = _in_settings(tree) if path.parts[-3:-2] == ("connectors",) and path.name == "config.py" else ()
        validates = path.name in VALIDATING or path.parts[-3:-1] == ("dashboard", "api")
        validators = _in_validators(tree) if validates else ()
        for line, text in (*_in_python(tree, errors), *settings, *validators):
            found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    for path in sorted((ROOT / "dashboard" / "templates").glob("*.html")):
        for line, text in _in_page(path):
            found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return {text: place for text, place in found.items() if text not in DYNAMIC}


def _sources() -> list[Path]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in paths if "templates" not in path.parts and "versions" not in path.parts]


def _error_classes(trees: object) -> frozenset[str]:
    """The names of all classes below the three families."""
    bases: dict[str, set[str]] = {}
    for tree in trees:  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_name(base) for base in node.bases)
    known = set(FAMILIES)
    while added := {name for name, parents in bases.items() if parents & known} - known:
        known |= added
    return frozenset(known)


def _in_python(tree: ast.Module, errors: frozenset[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node, errors)
        elif isinstance(node, ast.ClassDef) and node.name in errors:
            yield from _default_remedy(node)
            yield from _own_template(node)
        elif isinstance(node, ast.Assign) and any(_holds_texts(_name(target)) for target in node.targets):
            yield from _texts(node.value)


def _in_settings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The help texts of a connector's settings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "Field":
            for keyword in node.keywords:
                if keyword.arg == "description":
                    yield from _texts(keyword.value)


def _in_validators(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What the validators of settings and of bodies say."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "ValueError":
            yield from _texts(*(arg for arg in node.args[:1] if not isinstance(arg, ast.JoinedStr)))


def _in_call(call: ast.Call, errors: frozenset[str]) -> Iterator[tuple[int, str]]:
    name = _name(call.func)
    if name == "Wording":
        yield from _texts(*call.args[:2])  # those of connectors hold a remedy too
    if name in errors or name in ("_", "packed", "Phrase", "Checked"):
        yield from _texts(*call.args[:1])
    if name == "add" and isinstance(call.func, ast.Attribute) and _name(call.func.value) == "events":
        yield from _texts(*call.args[3:4])
    if name in PASSED_ON:
        yield from ((line, text) for line, text in _texts(*call.args) if " " in text)
    if name == "Blocker":
        yield from _texts(*call.args[1:2])
    if name == "Failure":
        yield from _texts(*call.args[2:3])
    for keyword in call.keywords:
        if keyword.arg == "remedy":
            yield from _texts(keyword.value)


def _holds_texts(name: str) -> bool:
    return name.upper().endswith("REMEDY") or name == "template"


def _own_template(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """What an error class itself says: ``super().__init__("...")``."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and _name(call.func) == "__init__":
            yield from _texts(*call.args[:1])


def _default_remedy(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and _name(statement.targets[0]) == "default_remedy":
            yield from _texts(statement.value)


def _texts(*expressions: ast.expr) -> Iterator[tuple[int, str]]:
    """The literals of an expression; both of a choice."""
    for expression in expressions:
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            yield expression.lineno, expression.value
        elif isinstance(expression, ast.IfExp):
            yield from _texts(expression.body, expression.orelse)


def _name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Subscript):
        expression = expression.value
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def _in_page(path: Path) -> Iterator[tuple[int, str]]:
    for call in Environment(autoescape=True).parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_" and isinstance(call.args[0], nodes.Const):
            yield call.lineno, call.args[0].value
