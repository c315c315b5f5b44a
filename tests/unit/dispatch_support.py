"""A dispatcher whose far sides write down what it asks of them, with helpers to move calls and agents."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.call import Call, FinishedCall
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.store.reserve import Reservation

START = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Notebook:
    """Writes down what the dispatcher asks of the world and of the records."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[str, int, str, bool]] = field(default_factory=list)
    ended: list[tuple[str, int, str]] = field(default_factory=list)
    dispositions: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    seats: list[tuple[str, str]] = field(default_factory=list)
    opt_outs: list[tuple[str, str, str]] = field(default_factory=list)
    disposed_numbers: list[str | None] = field(default_factory=list)
    wishes: list[tuple[str, str, bool, datetime]] = field(default_factory=list)

    def look_up(self, call: Call) -> None:
        self.asked.append(("look_up", call.id))

    def claim(self, call: Call) -> None:
        self.asked.append(("claim", call.id, call.attempt.agent))

    def join(self, call: Call, agent: str) -> None:
        self.asked.append(("join", call.id, agent))

    def keep(self, call: Call) -> None:
        self.asked.append(("keep", call.id, call.attempt.agent))

    def play_drop_message(self, call: Call) -> None:
        self.asked.append(("drop", call.id))

    def hang_up(self, call: Call) -> None:
        self.asked.append(("hang_up", call.id))

    def take_opt_outs(self) -> None:
        self.asked.append(("opt_outs",))

    def tell_agent(self, agent: str, what: str) -> None:
        self.asked.append(("tell", agent, what))

    def start_wrap(self, agent: str, attempt_id: str) -> None:
        self.asked.append(("wrap", agent, attempt_id))

    def attempt_event(self, call: Call, event: life.Event, moved: bool) -> None:
        self.events.append((call.id, call.events, type(event).__name__, moved))

    def attempt_found(self, call: Call, phase: Phase, at: datetime) -> None:
        self.events.append((call.id, call.events, str(phase), True))

    def attempt_end(self, call: Call, event: life.Event) -> None:
        self.ended.append((call.id, call.events, str(call.attempt.result)))

    def opt_out(self, attempt_id: str, call: Call | None, number: str, member: str, at: datetime) -> None:
        self.opt_outs.append((attempt_id, call.reservation.number if call else number, member))

    def disposition(
        self, attempt_id: str, campaign: str, agent: str, code: str | None, at: datetime, call: Call | None
    ) -> None:
        self.dispositions.append((attempt_id, campaign, agent, code))
        self.disposed_numbers.append(call.reservation.number if call else None)

    def seat_state(self, seat: Seat, campaign: str | None, at: datetime) -> None:
        self.seats.append((seat.agent, seat.state.value))
        self.wishes.append((seat.agent, seat.state.value, seat.pause_follows, at))


def reservation(attempt_id: str, number: str = "+12105550100", node: str = "main") -> Reservation:
    return Reservation(attempt_id, 1, 1, number, "+12105550199", "main", node, START, "")


class Floor:
    """A dispatcher with helpers to move calls and agents."""

    def __init__(self, **agents: str) -> None:
        self.book = Notebook()
        self.dispatcher = Dispatcher(self.book, self.book)
        self.finished: list[FinishedCall] = []
        self.dispatcher.on_finished = self.finished.append
        self.dispatcher.assign(agents)

    def on_duty(self, agent: str, second: float = 0.0, node: str = "main") -> None:
        self.dispatcher.feed_seat(agent, chair.LegUp(at(second), node))

    def ring(
        self, attempt_id: str, campaign: str = "spring", number: str = "+12105550100", node: str = "main"
    ) -> None:
        held = reservation(attempt_id, number, node)
        self.dispatcher.adopt(Call(held, campaign, Attempt(attempt_id), START))
        self.dispatcher.feed(attempt_id, life.Sent(at(1), 22))
        self.dispatcher.feed(attempt_id, life.Ringing(at(2)))

    def answer(self, attempt_id: str, second: float = 5.0) -> None:
        self.dispatcher.feed(attempt_id, life.Answered(at(second)))
        self.dispatcher.feed(attempt_id, life.Offered(at(second)))

    def join(self, attempt_id: str, second: float = 5.01) -> None:
        self.dispatcher.feed(attempt_id, life.Entered(at(second)))
        self.dispatcher.feed(attempt_id, life.Joined(at(second)))

    def hang_up(self, attempt_id: str, second: float = 60.0) -> None:
        self.dispatcher.feed(attempt_id, life.Gone(at(second), 16))

    def state(self, agent: str) -> SeatState:
        return self.dispatcher.seats[agent].state

    def claims(self) -> list[tuple[Any, ...]]:
        return [asked for asked in self.book.asked if asked[0] == "claim"]
