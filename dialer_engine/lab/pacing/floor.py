"""The simulated floor: calls and agents, and what happens to them, moment by moment.

A call: dialing, then it fails at once or rings; then nobody answers, or somebody does and is waiting until an
agent is there (bridged) or the grace is over (abandoned). A person who answers gets the agent who has been
ready longest; an agent who becomes ready takes the person who has been waiting longest. In mode preview a contact
is shown to a ready agent first, who looks, then skips it or dials; then the agent is reserved until it is known whether
somebody answers, and gets exactly this person.

Every call has at most one event ahead, which names the generation (`turn`) it was made for: one that comes
too late, as the abandonment of a call that was bridged, finds another generation and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.core.pacing import AgentState, CallState, CallView, PacingEvent
from dialer_engine.lab.pacing.parts import Agent, Call
from dialer_engine.lab.pacing.people import People, Person
from dialer_engine.lab.pacing.roster import Hear, Roster
from dialer_engine.lab.pacing.tally import PeriodLedger, Tally

Kind = Literal["ringing", "answered", "bridged", "ended"]


class Floor(Roster):
    """All calls and agents of a run at one moment, and the ledger of the legal period."""

    def __init__(
        self, people: People, ledger: PeriodLedger, tally: Tally, hear: Hear | None, seed: int
    ) -> None:
        super().__init__(people.work, tally, hear, seed)
        self.people, self.ledger = people, ledger
        self.calls: dict[str, Call] = {}
        self.views: dict[str, CallView] = {}
        self.ringing: dict[Call, None] = {}
        self.waiting: dict[Call, None] = {}
        self.in_flight = 0

    def _serve(self, agent: Agent) -> None:
        if self.waiting:
            self._bridge(next(iter(self.waiting)), agent)

    def place(self) -> Call:
        """Dial the next person of the list."""
        return self.dial(self.people.take())

    # --- looking ----------------------------------------------------------------------------------

    def show(self) -> None:
        """Put the next person of the list before the agent who has been ready longest and looks at nobody."""
        agent = next((each for each in self.ready if each.looks_at is None), None)
        if agent is None:
            return
        person = agent.looks_at = self.people.take()
        name = _name(person)
        self.views[name] = CallView(name, "reserved", self.now, 0.0)
        self._at(self.now + person.look_s, lambda: self._looked(agent, person))

    def _looked(self, agent: Agent, person: Person) -> None:
        """Skip or dial; an agent who does something else by now, or a closed day, dials nobody."""
        if agent.looks_at is not person:
            return
        if not self.open:
            self._take_away(agent)
            return
        self._forget(agent, person)
        if person.skip_dice < self.work.skip_share:
            self.day.skipped += 1
            return
        del self.ready[agent]
        self._enter(agent, "reserved")
        self.dial(person, agent)

    def _forget(self, agent: Agent, person: Person) -> None:
        agent.looks_at = None
        del self.views[_name(person)]

    def _take_away(self, agent: Agent) -> None:
        person = agent.looks_at
        if person is not None:
            self._forget(agent, person)
            self.people.give_back(person)

    def _enter(self, agent: Agent, state: AgentState | None) -> None:
        self._take_away(agent)
        super()._enter(agent, state)

    # --- calls ------------------------------------------------------------------------------------

    def dial(self, person: Person, agent: Agent | None = None) -> Call:
        """Dial somebody now, or let an agent dial by hand; their fate is settled at this moment."""
        work, now, name = self.work, self.now, _name(person)
        answers = person.answers(work, self.second)
        fails = not answers and person.fails(work)
        machine = not (answers or fails) and person.machine(work, self.second)
        at = now + person.answer_after_s if answers or machine else None
        view = CallView(name, "dialing", now, 0.0, now, person.segments, agent.id if agent else "")
        call = Call(name, person, now, at, machine, view, agent=agent)
        self.calls[name], self.views[name] = call, view
        self.in_flight += 1
        self.day.attempts += 1
        self._tell(PacingEvent("placed", now, name, segments=person.segments))
        if fails:
            self._later(call, now + person.fail_s, lambda: self._unanswered(call, "busy"))
        else:
            self._later(call, now + person.delay_s, lambda: self._rings(call))
        return call

    def _later(self, call: Call, moment: float, happens: Callable[[], None]) -> None:
        call.turn += 1
        turn = call.turn
        self._at(moment, lambda: happens() if call.turn == turn else None)

    def _show(self, call: Call, state: CallState, rang: float) -> None:
        call.state = state
        agent = call.view.agent if state in ("dialing", "ringing") else ""
        call.view = CallView(call.id, state, self.now, rang, call.placed, call.person.segments, agent)
        self.views[call.id] = call.view

    def _say(self, call: Call, kind: Kind, agent: str | None = None, result: str | None = None) -> None:
        if self.hear is not None:
            self.hear(PacingEvent(kind, self.now, call.id, agent, result, call.person.segments))

    def _rings(self, call: Call) -> None:
        call.ringing_at = self.now
        self.ringing[call] = None
        self._show(call, "ringing", 0.0)
        self._say(call, "ringing")
        if call.answers_at is not None:
            self._later(call, call.answers_at, lambda: self._answered(call))
        else:
            self._later(
                call, self.now + self.work.ring_timeout_s, lambda: self._unanswered(call, "no_answer")
            )

    def _unanswered(self, call: Call, result: str) -> None:
        self.in_flight -= 1
        self._gone(call, result)
        if call.agent is not None:
            self._free(call.agent, talked=False)

    def _gone(self, call: Call, result: str) -> None:
        call.turn += 1
        self.ringing.pop(call, None)
        self.waiting.pop(call, None)
        del self.calls[call.id], self.views[call.id]
        self._say(call, "ended", result=result)

    def cancel(self, call: Call) -> None:
        """End a call that nobody has answered."""
        rang = self.rang(call)
        self.day.cancelled += 1
        self.day.rung_short += rang < SHORTEST_RING_S
        self._unanswered(call, "cancelled")

    def rang(self, call: Call) -> float:
        """Return for how many seconds a call has been ringing."""
        return 0.0 if call.ringing_at is None else self.now - call.ringing_at

    def _answered(self, call: Call) -> None:
        del self.ringing[call]
        if call.machine:
            self.day.machines += 1
        else:
            self.day.answers += 1
            self.day.slot(self.second).answers += 1
        self._show(call, "waiting", self.rang(call))
        self._say(call, "answered")
        taker = call.agent or next(iter(self.ready), None)
        if taker is not None:
            self._bridge(call, taker)
            return
        self.waiting[call] = None
        stays = self.work.grace_s if call.machine else min(self.work.grace_s, call.person.patience_s)
        self._later(call, self.now + stays, lambda: self._abandoned(call))

    def _abandoned(self, call: Call) -> None:
        self.in_flight -= 1
        self.ledger.lost()
        if not call.machine:
            self.day.abandoned += 1
            self.day.slot(self.second).abandoned += 1
        self._gone(call, "abandoned")

    def _bridge(self, call: Call, agent: Agent) -> None:
        self.waiting.pop(call, None)
        self.ready.pop(agent, None)
        self.in_flight -= 1
        self.day.bridged += 1
        self.tally.agent_waits.append(self.now - agent.idle_since)
        if not call.machine:
            self.tally.people_waits.append(self.now - (call.answers_at or self.now))
        self._show(call, "bridged", call.view.rang)
        self._say(call, "bridged", agent.id)
        self._enter(agent, "in_call")
        agent.call = call
        person = call.person
        call.ends_at = self.now + (person.machine_s if call.machine else person.talk_s)
        agent.free_at = call.ends_at + (0.0 if call.machine else person.wrap_s)
        self._later(call, call.ends_at, lambda: self._talked(call, agent))

    def _talked(self, call: Call, agent: Agent) -> None:
        self._gone(call, "bridged")
        if call.machine:
            self._account(agent)
            agent.call = None
            self._free(agent)
            return
        self._enter(agent, "wrap")
        agent.call = None
        self._at(agent.free_at, lambda: self._disposed(agent))

    def _disposed(self, agent: Agent) -> None:
        self.ledger.connected()
        self._free(agent)


def _name(person: Person) -> str:
    return f"c{person.number}"
