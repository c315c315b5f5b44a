"""What tells an engine without the lease that another one has given people to agents."""

import msgspec
import pytest
from dispatch_support import Floor

from dialer_engine.engine.recovery import Seen, others_talk
from dialer_engine.pbx.ari import models as ari

pytestmark = pytest.mark.unit

NOBODY = ari.CallerID(name="", number="")
CUSTOMER = ari.Channel(
    id="a",
    name="PJSIP/trunk-main-00000001",
    state="Up",
    caller=NOBODY,
    connected=NOBODY,
    accountcode="",
    dialplan=ari.DialplanCEP(context="outbound", exten="s", priority=1, app_name="Stasis", app_data="dialer"),
    creationtime="2026-06-10T16:00:00.000+0000",
    language="en",
    protocol_id="",
)


def leg(agent: str) -> ari.Channel:
    plan = msgspec.structs.replace(CUSTOMER.dialplan, app_data=f"dialer,agent,{agent}")
    return msgspec.structs.replace(CUSTOMER, id=f"leg-{agent}", name=f"PJSIP/{agent}-1", dialplan=plan)


def seen(*agents: str, with_anna: tuple[str, ...] = ()) -> Seen:
    """Legs of these agents, each in a bridge of its own, customer `a`, and who is in anna's bridge."""
    legs = {each.id: each for each in map(leg, agents)}
    bridge_of = {f"leg-{agent}": f"agent-{agent}" for agent in agents}
    bridge_of |= dict.fromkeys(with_anna, "agent-anna")
    return Seen({**legs, "a": CUSTOMER}, bridge_of, frozenset(bridge_of.values()))


def found(floor: Floor, seen: Seen) -> str | None:
    return others_talk(floor.dispatcher, seen, frozenset(floor.dispatcher.calls))


def talking(with_agent: str) -> Floor:
    floor = Floor(anna="spring", bob="spring")
    floor.on_duty(with_agent)
    floor.ring("a")
    floor.answer("a")
    floor.join("a")
    return floor


def test_a_conversation_that_this_engine_knows_nothing_of_is_anothers() -> None:
    assert found(Floor(), seen("anna", with_anna=("a",))) == "a"


def test_its_own_conversation_is_not() -> None:
    assert found(talking("anna"), seen("anna", "bob", with_anna=("a",))) is None


def test_a_call_that_rang_or_talked_elsewhere_and_is_now_with_an_agent_was_given_to_that_one() -> None:
    rings = Floor(anna="spring")
    rings.ring("a")
    assert found(rings, seen("anna", with_anna=("a",))) == "a"
    assert found(talking("bob"), seen("anna", "bob", with_anna=("a",))) == "a"


def test_nobody_gave_a_customer_to_an_empty_chair() -> None:
    """The agent's phone died, and the move to another agent was lost with the link."""
    assert found(talking("bob"), seen("bob", with_anna=("a",))) is None


def test_a_call_that_waits_or_ended_while_asterisk_was_asked_is_not_anothers() -> None:
    assert found(Floor(), seen("anna")) is None
    floor = talking("anna")
    ours = frozenset(floor.dispatcher.calls)
    floor.hang_up("a")
    assert others_talk(floor.dispatcher, seen("anna", with_anna=("a",)), ours) is None
