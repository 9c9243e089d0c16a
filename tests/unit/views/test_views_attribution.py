"""A session's figures as people see them: every one there, unknown as a dash, outside text harmless."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Fill
from lunomm.tape.attribution import Attribution, MarketPath, Session, attribute
from lunomm.views.attribution import attribution_panels, attribution_rows, attribution_table, html_page
from lunomm.views.chart import svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def session(rules: PairRules, fills: tuple[Fill, ...]) -> Session:
    market = MarketPath(rules)
    market.add(0, 299_999, 300_001)
    market.add(100 * 10**9, 300_009, 300_011)
    market.end(130 * 10**9)
    return Session(
        rules=rules,
        start_ns=0,
        end_ns=130 * 10**9,
        opening=D("0.1"),
        opening_mark=D(300_000),
        closing_mark=D(300_010),
        entries=fills,
        lives=[],
        path=market,
    )


@pytest.fixture
def found(session: Session) -> Attribution:
    return attribute(session)


def test_every_figure_of_every_lane(session: Session, found: Attribution) -> None:
    nothing = attribute(replace(session, entries=[], lives=None, path=None))
    rows = attribution_rows({"strategy": found, "baseline": nothing})
    shown = {row.label: row.values for row in rows}
    assert all(len(row.values) == 2 for row in rows)
    assert shown["fills (of them maker)"] == ("3 (3)", "0 (0)")
    assert shown["both sides quoted, one side"] == ("0.0 %, 0.0 %", "–, –")
    assert shown["after 30 s (drift)"][0].endswith("n 3") and shown["after 60 s (drift)"] == ("–", "–")
    assert shown["Sharpe, a year"] == ("n/a", "n/a")
    text = draw(attribution_table({"strategy": found, "baseline": nothing}), 120, 40)
    assert all(row.label in text for row in rows)


def test_panels_show_what_happened(found: Attribution, fills: tuple[Fill, ...]) -> None:
    root = ElementTree.fromstring(svg("t", attribution_panels(found, fills)))
    words = "".join(root.itertext())
    assert len(root.findall(f".//{SVG}circle")) == len(fills)
    assert all(title in words for title in ("Profit", "Position", "Market and fills", "Markouts"))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_is_whole_and_calls_nobody(found: Attribution) -> None:
    hostile = replace(found, counter="<script>", pair=HOSTILE)
    lanes = {"<script>alert(1)</script>": hostile}
    picture = svg("t", attribution_panels(hostile))
    text = html_page("<b>" + HOSTILE, HOSTILE, lanes, [("<i>", picture)], [HOSTILE])
    page = _Page()
    page.feed(text)
    assert not {"script", "b", "i", "link", "img", "iframe"} & set(page.tags) and not page.links
    assert page.tags.count("svg") == 1
    assert "\x1b" not in text and "http://x]" not in text


def test_figures_stay_short(session: Session, fills: tuple[Fill, ...]) -> None:
    huge = [msgspec.structs.replace(fill, volume=D(10) ** 14, counter=D(10) ** 30) for fill in fills]
    lanes = {"x": attribute(replace(session, entries=huge))}
    assert all(len(value) < 80 for row in attribution_rows(lanes) for value in row.values)
