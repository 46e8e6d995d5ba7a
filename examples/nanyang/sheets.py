"""Two spreadsheets: WeChat customers as a GBK export, and contacts from trade fairs as Excel."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from examples.nanyang import noise
from examples.nanyang.clock import moment
from examples.nanyang.truth import Sighting
from examples.nanyang.words import NICKNAMES, OWNERS
from examples.nanyang.world import Person, World

WECHAT = "wechat/微信客户.csv"
FAIR = "fair/广交会联系人.xlsx"
WECHAT_COLUMNS = ("客户编号", "微信昵称", "姓名", "手机", "公司", "城市", "备注", "跟进人", "添加时间")
FAIR_COLUMNS = ("No", "公司名称", "Company", "Contact", "Mobile", "Tel", "Email", "Country", "Visited", "Remarks")


class Wechat:
    """The customers that sales people added in WeChat."""

    def __init__(self, seed: int, world: World) -> None:
        self._rng = Random(f"nanyang:{seed}:wechat")
        self._world = world
        self.sightings: list[Sighting] = []

    def write(self, folder: Path) -> None:
        """Write the CSV, as the export does: in GBK, with title lines above the header."""
        rows = [self._row(person) for person in self._world.persons if person.family and self._rng.random() < 0.6]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerows([["微信客户导出"], ["导出人：陈志强"], [], list(WECHAT_COLUMNS), *rows])
        path = folder / WECHAT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.getvalue().encode("gbk"))

    def _row(self, person: Person) -> list[str]:
        rng = self._rng
        number = f"WX{len(self.sightings) + 1:05d}"
        self.sightings.append(Sighting("wechat", "customers", number, "", person.id))
        company = person.employer.short if person.employer is not None and rng.random() < 0.6 else ""
        return [
            number,
            rng.choice([*NICKNAMES, person.native, person.latin_given]),
            noise.person_name(rng, person),
            noise.PLACEHOLDER_PHONE if rng.random() < 0.03 else noise.phone(rng, person.mobile),
            company,
            person.place.city,
            rng.choice(["", "", "老客户", "朋友介绍，\n先报价", "要发票", '说"月底"下单']),
            rng.choice(OWNERS[:3]),
            moment(rng, days=500).strftime("%Y/%m/%d %H:%M"),
        ]


class Fair:
    """The business cards collected at trade fairs: one row is a company and a person."""

    def __init__(self, seed: int, world: World) -> None:
        self._rng = Random(f"nanyang:{seed}:fair")
        self._world = world
        self.sightings: list[Sighting] = []

    def write(self, folder: Path) -> None:
        """Write the workbook with a title row above the header."""
        chosen = [one for one in self._world.persons if one.employer is not None and self._rng.random() < 0.5]
        rows = [self._row(person) for person in chosen]
        path = folder / FAIR
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(workbook("联系人", [["广交会联系人 Canton Fair contacts"], [], FAIR_COLUMNS, *rows]))

    def _row(self, person: Person) -> list[object]:
        rng, employer = self._rng, person.employer
        assert employer is not None  # only employed persons are chosen
        number = len(self.sightings) // 2 + 1
        self.sightings.append(Sighting("fair", "contacts", str(number), "", employer.id))
        self.sightings.append(Sighting("fair", "contacts", str(number), "contact", person.id))
        digits = person.mobile.isdigit() and rng.random() < 0.5
        return [
            number,
            noise.company_name(rng, employer) if employer.native else "",
            employer.latin if rng.random() < 0.8 or not employer.native else "",
            noise.person_name(rng, person, latin=0.6),
            int(person.mobile) if digits else noise.phone(rng, person.mobile),
            employer.phone if rng.random() < 0.7 else "",
            noise.email(rng, person.email),
            employer.place.country,
            moment(rng, days=300).strftime("%Y-%m-%d"),
            rng.choice(["", "样品", "follow up", "询价"]),
        ]


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook(sheet: str, rows: Sequence[Sequence[object]]) -> bytes:
    """A minimal .xlsx with one sheet (ECMA-376): texts inline, numbers as such; the same rows give the same bytes."""
    content = "".join(
        f'<row r="{number}">{"".join(_cell(column, number, value) for column, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEET}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{content}</sheetData></worksheet>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, (2026, 3, 31, 18, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _HEAD + text)
    return buffer.getvalue()


def _cell(column: int, row: int, value: object) -> str:
    place = f"{chr(65 + column)}{row}"
    if value == "":
        return ""
    if isinstance(value, int):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'
