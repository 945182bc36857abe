"""The report of a release of real patients, and that nothing in it is markup but its own."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.assembly import Verdict
from gateway.deid.classes import Measures
from gateway.deid.profile import shipped
from gateway.releases.report import to_html
from gateway.releases.request import DatasetRequest, parse_request
from gateway.releases.shape import Bars, Shape, dictionary
from tests.unit.gateway.deid.releases import assemble, definitions, spool, tables

PROFILE = shipped("safe-harbor")


def request(title: str = "Hearts of New England") -> DatasetRequest:
    asked = {
        "title": title, "purpose": "HRESCH", "dataUse": ["DUO:0000006"], "cohort": {}, "tables": definitions(),
        "profile": "safe-harbor", "format": "parquet", "days": 30,
    }  # fmt: skip
    return parse_request(jsontext.loads(json.dumps(asked).encode()))


class Tags(HTMLParser):
    """What a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"onload", "onerror", "src", "href"}

    def handle_data(self, data: str) -> None:
        self.text += data


def read(document: str) -> Tags:
    found = Tags()
    found.feed(document)
    return found


VERDICT = Verdict(
    people=40,
    suppressed=10,
    measures=Measures(people=30, classes=2, k=9, diversity=1, t=0.7),
    rows=(30, 0, 0, 0),
    taken_out=3,
    clamped=4,
    failed=("k", "l", "t", "suppressed"),
)


def test_a_report_of_real_patients_tells_their_shape(shared_data: Path) -> None:
    left, verdict = assemble(spool(shared_data, PROFILE, most=80), PROFILE)
    shape = Shape(tables(PROFILE), PROFILE)
    for person in left:
        shape.add(person)
    bars = {f"{one.table}.{one.column}": one for one in shape.bars()}
    assert sum(count for _, count in bars["people.sex"].values) == len(left)
    assert min(count for one in bars.values() for _, count in one.values) >= 11
    text = read(to_html(request(), verdict, shape.bars())).text
    assert f"{len(left)} of 80" in text
    assert "people.sex" in text
    assert "observations" in text


def test_what_failed_is_said_in_words() -> None:
    text = read(to_html(request(), VERDICT, ())).text
    for words in ("too few are alike", "too many had to be left out", "differ too much", "too few sensitive values"):
        assert words in text


@pytest.mark.parametrize("planted", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><b>x'])
def test_nothing_that_anybody_wrote_is_markup(planted: str) -> None:
    bars = Bars(table=planted, column=planted, values=((planted, 11),), others=0)
    found = read(to_html(request(title=planted), VERDICT, (bars,)))
    assert found.tags <= {"html", "meta", "title", "style", "h1", "h2", "h3", "table", "tr", "th", "td", "span"}
    assert planted in found.text


def test_the_dictionary_says_what_became_of_each_column() -> None:
    entries = {f"{table.name}.{one.name}": one for table in tables(PROFILE) for one in dictionary(table, PROFILE)}
    assert entries["people.zip"].reads == ("Patient.address.postalCode",)
    assert "at least 11 people" in entries["people.zip"].done
    assert entries["observations.value"].done.startswith("bounded by the 11th")
    assert "years" in entries["conditions.onset"].done


def test_few_are_not_counted() -> None:
    shape = Shape(tables(PROFILE)[:1], PROFILE)
    for number in range(15):
        shape.add([[("key", "female" if number < 11 else "male", "*", "MA", "0**", None, "*", "*")]])
    assert dict(next(one for one in shape.bars() if one.column == "sex").values) == {"female": 11}
