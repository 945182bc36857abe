"""The report of a release, for a steward to read: HTML in one file, without scripts, fonts or anything from elsewhere.

True here: every text is escaped, whoever wrote it; what is told of people is the verdict and the shape, nothing else.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from gateway.deid.assembly import Verdict
from gateway.deid.tables import Table
from gateway.releases.request import DatasetRequest
from gateway.releases.shape import Bars, ColumnEntry, dictionary

FEW: Final = 10
"""People up to whom it is not counted."""
WIDTH: Final = 320
"""Pixels of the longest bar."""
STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}"
    ".bar{display:inline-block;height:.8rem;background:#3a6ea5}.bad{color:#a00;font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}th,td{border-color:#444}.bad{color:#f88}}"
)
WORDS: Final = {
    "people": "nobody is left",
    "k": "too few are alike",
    "l": "too few sensitive values among those who are alike",
    "t": "those who are alike differ too much from all",
    "suppressed": "too many had to be left out",
}


def to_html(request: DatasetRequest, verdict: Verdict, bars: Sequence[Bars]) -> str:
    """A whole document."""
    profile = request.profile
    facts = [
        ("Title", request.title),
        ("Purpose", f"{request.purpose.value}; {', '.join(sorted(request.data_use))}"),
        *([] if request.study is None else [("Study", request.study.hex())]),
        ("Profile", f"{profile.name} ({profile.basis}), {profile.digest.hex()}"),
        ("Departures from the rule", ", ".join(profile.departures) or "none"),
        ("Request", request.digest.hex()),
    ]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(request.title)}</title>",
        f"<style>{STYLE}</style><h1>{escape(request.title)}</h1>",
        _rows(facts),
        "<h2>Anonymity</h2>",
        _verdict(request, verdict),
        "<h2>The people</h2>",
        *map(_bars, bars),
        "<h2>Tables</h2>",
        *(
            _table(table, count, dictionary(table, profile))
            for table, count in zip(request.tables, verdict.rows, strict=True)
        ),
    ]
    return "\n".join(parts) + "</html>\n"


def _verdict(request: DatasetRequest, verdict: Verdict) -> str:
    wanted, found = request.profile.anonymity, verdict.measures
    share = verdict.suppressed / verdict.people if verdict.people else 0.0
    lines = [
        ("people", "People", f"{coarse(found.people)} of {coarse(verdict.people)}", "at least one"),
        ("suppressed", "Left out", _left_out(verdict, share), f"at most {wanted.suppressed_most:.1%}"),
        ("k", "k: alike in all that describes them", coarse(found.k), f"at least {wanted.k}"),
        ("l", "l: sensitive values among those", str(found.diversity), f"at least {wanted.diversity}"),
        ("t", "t: how far those are from all", f"{found.t:.3f}", f"at most {wanted.t:g}"),
        ("", "Cells taken out, and bounded", f"{verdict.taken_out}, {verdict.clamped}", ""),
    ]
    rows = "".join(
        f"<tr><th>{escape(label)}<td>{escape(value)}<td>{escape(bar)}<td>{_failing(name, verdict)}"
        for name, label, value, bar in lines
    )
    return f"<table><tr><th>Measure<th>Found<th>Wanted<th>{rows}</table>"


def coarse(count: int) -> str:
    """A count of people, or that there are some and few: one more or less would tell of somebody."""
    return f"1 to {FEW}" if 0 < count <= FEW else str(count)


def _left_out(verdict: Verdict, share: float) -> str:
    few = 0 < verdict.suppressed <= FEW or verdict.people <= FEW
    return coarse(verdict.suppressed) if few else f"{verdict.suppressed} ({share:.1%})"


def _failing(name: str, verdict: Verdict) -> str:
    return f"<span class=bad>{escape(WORDS[name])}</span>" if name in verdict.failed else ""


def _bars(bars: Bars) -> str:
    most = max(count for _, count in bars.values)
    rows = "".join(
        f"<tr><td>{escape(value) or '(nothing)'}<td>{count}"
        f"<td><span class=bar style=width:{WIDTH * count // most}px></span>"
        for value, count in bars.values
    )
    more = f"<tr><td colspan=3>and {bars.others} more values" if bars.others else ""
    return f"<h3>{escape(bars.table)}.{escape(bars.column)}</h3><table><tr><th>Value<th>People<th>{rows}{more}</table>"


def _table(table: Table, count: int, entries: Sequence[ColumnEntry]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.name)}<td>{escape(one.type)}<td>{escape(', '.join(one.reads))}<td>{escape(one.done)}"
        for one in entries
    )
    head = f"<h3>{escape(table.name)}: {count} rows of {escape(table.view.resource)}</h3>"
    return f"{head}<table><tr><th>Column<th>Type<th>Told from<th>What became of it{rows}</table>"


def _rows(facts: Sequence[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><th>{escape(name)}<td>{escape(text)}" for name, text in facts) + "</table>"
