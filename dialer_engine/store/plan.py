"""What a campaign could dial: every contact is asked about, as a reservation would, and nothing is changed.

A long list is sampled by a hash of the contact's id; the shares found are those of the whole list, within the
error that `Survey.error` states.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dialer_engine.core.gate import GateContext, Outcome, Verdict, evaluate
from dialer_engine.store.candidates import Candidate, candidates_of
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

BATCH = 500
PACE_OVER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Question:
    """Whose contacts are asked about, those of the lists `list_ids`, at `now` on the gate's clock.

    A campaign or Member that is not in the database has the id 0: nothing is known of it there.
    """

    campaign_id: int
    member_id: int
    list_ids: Sequence[int]
    now: datetime
    context: GateContext


@dataclass(slots=True)
class Survey:
    """What came of it: contacts of the whole list, estimated when `asked` is smaller than `open`.

    `waiting` counts by rule, `opens` by the hour (UTC) in which they may be called; `blocked` counts by rule
    and what it goes by, such as the list.
    """

    open: int
    live: int
    done: int
    asked: int = 0
    step: int = 1
    now: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    blocked: Counter[tuple[str, str]] = field(default_factory=Counter)
    opens: Counter[datetime] = field(default_factory=Counter)
    unknown_opening: int = 0
    attempts_per_hour: float | None = None

    def scaled(self, count: int) -> int:
        """Return what a count among the contacts asked about means for all open ones."""
        return round(count * self.open / self.asked) if self.asked else 0

    @property
    def error(self) -> float:
        """Return the error of a share in percentage points with 95 % confidence, 0 when all were asked."""
        return 0.0 if self.step == 1 or not self.asked else 100 * 0.98 / math.sqrt(self.asked)


async def survey(conn: Connection, question: Question, sample: int, wall: datetime) -> Survey:
    """Ask the gate about a campaign's open contacts, about `sample` of them when there are more."""
    [row] = await conn.fetch(sql("plan_size"), question.campaign_id, question.list_ids)
    found = Survey(row["open"], row["live"], row["done"])
    found.step = max(1, -(-found.open // max(1, sample)))
    last = 0
    while groups := await _groups(conn, question, last, found.step):
        for group in groups:
            _judge(group, question, found)
        last = groups[-1][0].contact_id
    pace = await conn.fetchrow(sql("plan_pace"), question.campaign_id, wall - PACE_OVER)
    if pace and pace["hours"]:
        found.attempts_per_hour = pace["attempts"] / pace["hours"]
    return found


async def _groups(conn: Connection, question: Question, last: int, step: int) -> list[list[Candidate]]:
    about = (question.campaign_id, question.list_ids)
    rows = await conn.fetch(sql("plan_take"), *about, last, step, BATCH)
    return await candidates_of(conn, rows, question)


def _judge(group: Sequence[Candidate], question: Question, found: Survey) -> None:
    """Count one contact: callable by any of its numbers, else waiting for the first, else blocked."""
    found.asked += 1
    waits: list[tuple[datetime | None, Verdict]] = []
    blocks: list[Verdict] = []
    for candidate in group:
        if candidate.facts is None:
            found.blocked["number", "no number left to call"] += 1
            return
        decision = evaluate(candidate.facts, question.context)
        verdict = decision.blocking
        if verdict is None:
            found.now += 1
            return
        if verdict.outcome is Outcome.wait:
            waits.append((decision.next_allowed, verdict))
        else:
            blocks.append(verdict)
    if waits:
        _count_wait(waits, found)
    else:
        found.blocked[blocks[0].rule, goes_by(blocks[0])] += 1


def _count_wait(waits: Sequence[tuple[datetime | None, Verdict]], found: Survey) -> None:
    known = [(at, verdict) for at, verdict in waits if at is not None]
    if not known:
        found.waiting[waits[0][1].rule] += 1
        found.unknown_opening += 1
        return
    at, verdict = min(known, key=lambda each: each[0])
    found.waiting[verdict.rule] += 1
    found.opens[at.replace(minute=0, second=0, microsecond=0)] += 1


def goes_by(verdict: Verdict) -> str:
    """Return what a refusal goes by: the list, the source of a do-not-call entry, or its reason."""
    evidence = dict(verdict.evidence)
    return evidence.get("list") or evidence.get("source") or verdict.reason
