"""Writes the generated parts of the documentation: `python docs/generate.py`; `--check` only says what is stale.

- docs/canonical-customer.md out of ``mappings.customer``
- the table of transforms in docs/mapping.md out of their docstrings and signatures
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mappings import customer
from mappings.transforms import registered, signature_of

DOCS = Path(__file__).parent
BEGIN, END = "<!-- transforms:begin (written by docs/generate.py) -->", "<!-- transforms:end -->"
PARTS: tuple[type[BaseModel], ...] = (
    customer.Customer, customer.Identifier, customer.Email, customer.Phone, customer.Address, customer.Organisation,
    customer.Consent,
)  # fmt: skip
INTRODUCTION = """# The canonical customer

<!-- written by docs/generate.py from mappings/customer.py -->

Every source is mapped to this shape, and every consumer reads it. In JSON, a field without a value is left out (never
null, "" or []), points in time are ISO 8601 in UTC (`2026-01-02T03:04:05+00:00`, which sorts as text), dates are
`YYYY-MM-DD`, decimals are text without exponent and trailing zeros, `valid` and `verified` stand only where true.
Text is trimmed, without control characters and repeated blanks. A customer has at least one of name, email, phone,
identifier.
[Mapping files](mapping.md) say how records become customers.
"""


def canonical_customer() -> str:
    """The text of docs/canonical-customer.md."""
    return INTRODUCTION + "".join(f"\n{_section(part)}" for part in PARTS)


def transforms() -> str:
    """The table of transforms."""
    lines = ["| transform | parameters | does |", "|---|---|---|"]
    for name, text in registered().items():
        parameters = ", ".join(f"`{one}`" for one in signature_of(name))
        lines.append(f"| `{name}` | {parameters} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def mapping(text: str) -> str:
    """The text of docs/mapping.md with its table of transforms written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{transforms()}\n\n{END}{after}"


def generated() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    guide = DOCS / "mapping.md"
    return {DOCS / "canonical-customer.md": canonical_customer(), guide: mapping(guide.read_text("utf-8"))}


def main() -> int:
    """Write or check."""
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.stdout.writelines(f"stale: {path.name}\n" for path in stale)
        return int(bool(stale))
    for path, text in generated().items():
        path.write_text(text, "utf-8")
    return 0


def _section(model: type[BaseModel]) -> str:
    text = " ".join((model.__doc__ or "").split())
    rows = "\n".join(_rows(model))
    return f"## {model.__name__}\n\n{text}\n\n| field | type | meaning |\n|---|---|---|\n{rows}\n"


def _rows(model: type[BaseModel]) -> Iterator[str]:
    hints = typing.get_type_hints(model)
    for name, info in model.model_fields.items():
        required = " (required)" if info.is_required() else ""
        meaning = "; ".join(text for text in (info.description or "", _limits(info)) if text)
        yield f"| `{name}`{required} | {_type(hints[name])} | {meaning} |"


def _type(hint: Any) -> str:
    arguments = [one for one in typing.get_args(hint) if one is not types.NoneType]
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(_type, arguments))
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "object of text" if arguments[1] is str else "object"
    names = {"str": "text", "bool": "boolean", "Decimal": "decimal", "datetime": "point in time"}
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return names.get(hint.__name__, str(hint.__name__))


def _limits(info: FieldInfo) -> str:
    limits = [getattr(one, "max_length", None) for one in info.metadata]
    return next((f"at most {limit}" for limit in limits if limit), "")


if __name__ == "__main__":
    raise SystemExit(main())
