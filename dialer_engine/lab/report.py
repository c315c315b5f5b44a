"""The words at the end of a demo: what happened, whether all agree, where the records are, how to go on."""

from __future__ import annotations

from pathlib import Path

from dialer_engine.lab.summary import Summary

SHOWN = 10


def report(summary: Summary, results: Path, kept: Path | None) -> str:
    """The closing text; `kept` is the lab's directory when it was asked to stay."""
    parts = [_figures(summary), _agreement(summary), _records(results), _kept(kept), _further()]
    return "\n\n".join(part for part in parts if part)


def _figures(summary: Summary) -> str:
    delay = summary.answer_to_agent_ms
    first = "never" if summary.first_bridge_s is None else f"{summary.first_bridge_s:.1f} s after the start"
    return "\n".join(
        (
            "As the carrier and the agents' phones saw it:",
            f"  calls placed            {summary.attempts}",
            f"  answered by people      {summary.answered_humans}",
            f"  ... heard an agent      {summary.bridged}",
            f"  ... abandoned           {summary.abandoned}",
            f"  first person bridged    {first}",
            f"  answer to agent's ear   p50 {_ms(delay.p50)}, p99 {_ms(delay.p99)}, longest {_ms(delay.max)}",
            f"  two calls at once       {summary.double_dials}",
            f"  calls outside the gate  {summary.outside_gate}",
            f"  call records            {summary.cdrs}",
        )
    )


def _agreement(summary: Summary) -> str:
    problems = [*summary.objections, *summary.differences]
    if not problems:
        return "The engine's records agree with the carrier's ledger and the phones, call by call."
    shown = [f"  {problem}" for problem in problems[:SHOWN]]
    more = len(problems) - len(shown)
    return "\n".join(["NOT in agreement:", *shown, *([f"  and {more} more"] if more else [])])


def _records(results: Path) -> str:
    return (
        f"Call records: {results / 'cdrs.csv'}\n"
        f"Beside them: the carrier's ledger and this summary, also as summary.json"
    )


def _kept(kept: Path | None) -> str:
    if kept is None:
        return ""
    return (
        f"Kept in {kept}. Look at it with\n"
        f"  DIALER_HOME={kept} ./dialer run --config {kept / 'config'}\n"
        f"  DIALER_HOME={kept} ./dialer report --config {kept / 'config'}\n"
        f"  DIALER_HOME={kept} ./dialer cdr export --config {kept / 'config'} --format jsonl\n"
        f"  DIALER_HOME={kept} ./dialer stop --all"
    )


def _further() -> str:
    return (
        "To call real people: ./dialer init, edit config/, ./dialer check, ./dialer run; "
        "then list import, agent add, campaign start. The README has it step by step."
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
