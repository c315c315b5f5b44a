"""What is stuck when all rounds are over: attempts that outlived their calls, contacts lost in the queue."""

import pytest

from dialer_engine.lab.chaos.records import Record
from dialer_engine.lab.chaos.stuck import PassedOver, lost, outlived
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import Held, Oracle

pytestmark = pytest.mark.unit

ADA, BOB = "+12125550100", "+12125550101"
CALL = CarrierCall("1", ADA, "", 100.0, ended_at=110.0)


@pytest.mark.parametrize(
    ("ended", "spans", "stuck"),
    [
        ([110.1], [], False),
        ([139.0], [], False),
        ([141.0], [], True),
        ([141.0], [(105.0, 125.0)], False),
        ([156.0], [(105.0, 125.0)], True),
        ([141.0], [(111.0, 131.0)], False),
        ([141.0], [(113.0, 140.0)], True),
        ([141.0], [(50.0, 60.0)], True),
        ([99.0, 110.2], [], False),
        ([99.0, 141.0], [], True),
        ([], [], False),
    ],
    ids=[
        "at-once",
        "a-little-later",
        "too-late",
        "during-a-fault",
        "too-late-after-the-fault",
        "just-before-a-fault",
        "well-before-a-fault",
        "after-a-fault",
        "an-earlier-attempt-never-left",
        "an-earlier-attempt-and-too-late",
        "no-record",
    ],
)
def test_a_record_ends_soon_after_its_call(
    ended: list[float], spans: list[tuple[float, float]], stuck: bool
) -> None:
    records = [Record(ADA, "bridged", at) for at in ended]
    assert bool(outlived([CALL], records, spans)) is stuck


def test_what_outlived_its_call_is_told_with_its_time() -> None:
    assert outlived([CALL], [Record(ADA, "unknown", 150.5)], []) == [
        f"{ADA}: ended 40.5 s after the call by its record"
    ]
    live = CarrierCall("1", ADA, "", 100.0)
    assert outlived([live], [Record(ADA, "bridged", 150.5)], []) == []


def test_who_may_be_called_and_waits_no_more_was_lost() -> None:
    oracle = Oracle({BOB: Held.SUPPRESSED}, frozenset({ADA, BOB}))
    rows = [PassedOver(ADA, "held", "list"), PassedOver(BOB, "held", "suppression")]
    assert lost(rows, oracle, []) == [f"{ADA}: held in the queue (list), and was never called"]
    assert lost(rows, oracle, [CALL]) == [], "an attempt that is not counted was a call all the same"
    assert lost([PassedOver("+13125550100", "done", "bridged")], oracle, []) == [], "nobody of this world"
