"""The page of an evidence pack that a person reads: no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from dialer_engine.store.evidence_files import SHOWN, PackFiles

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:.5rem 0 2rem;width:100%;font-size:13px}"
    "th,td{border-bottom:1px solid #ddd;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "th{position:sticky;top:0;background:#f4f4f4}.no{color:#b00020;font-weight:600}"
)
_ATTEMPTS = {
    "reserved_at": "Reserved (UTC)",
    "called_number": "Called",
    "calling_number": "Caller ID",
    "local_time": "Local time",
    "result": "Result",
    "answer_to_agent_ms": "Answer to agent, ms",
    "duration_ms": "Duration, ms",
    "disposition": "Disposition",
    "rule_versions": "Rules",
    "list_versions": "Lists",
}
_OTHER = {
    "ledger": "Abandonment ledger",
    "suppressions": "Do-not-call entries in force",
    "suppression_log": "Changes of do-not-call entries",
    "consents": "Consents and relationships",
    "list_versions": "Versions of outside lists",
    "reassigned": "Reassigned-number answers",
    "prompts": "Recordings and scripts",
    "stops": "Emergency stops",
}


def write_page(
    path: Path, asked: Mapping[str, str | None], files: PackFiles, made_at: datetime, made_by: str
) -> None:
    """Write the page: what was asked, how many records of each kind, and what people look for first."""
    about = "; ".join(f"{name} {value}" for name, value in asked.items() if value)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Evidence of calls</title>",
        f"<style>{_STYLE}</style><h1>Evidence of calls</h1>",
        f"<p>{escape(about)}. Made {made_at:%Y-%m-%d %H:%M} UTC by {escape(made_by)}.</p>",
        "<p>Every record stands in <code>records.jsonl</code> and in the CSV files. "
        "<code>dialer evidence verify</code> tells whether anything was changed since.</p>",
        "<h2>Records</h2>",
        _table(["Kind", "Records"], ((name, n) for name, n in files.counts.items())),
        f"<h2>Attempts</h2>{_more(files.counts['attempts'])}",
        _table(
            list(_ATTEMPTS.values()), ([row.get(c) for c in _ATTEMPTS] for row in files.shown["attempts"])
        ),
    ]
    for section, title in _OTHER.items():
        parts += [f"<h2>{escape(title)}</h2>{_more(files.counts[section])}", _section(files.shown[section])]
    path.write_text("\n".join(parts) + "\n", "utf-8")


def _more(count: int) -> str:
    return f"<p>The first {SHOWN} of {count}.</p>" if count > SHOWN else ""


def _section(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    return _table(list(rows[0]), (row.values() for row in rows))


def _table(heads: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    mark = " class=no" if value is False else ""
    return f"<td{mark}>{'' if value is None else escape(str(value))}</td>"
