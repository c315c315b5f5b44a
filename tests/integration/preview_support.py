"""What tests of preview campaigns do at a desk."""

from dataclasses import replace
from typing import Any

from engine_support import PROGRESSIVE, until

from dialer_engine.lab.world import World

PREVIEW = replace(PROGRESSIVE, mode="preview")
FIRST, SECOND, THIRD = (f"+1214555010{n}" for n in range(3))


async def desk(made: World, number: int = 0) -> dict[str, Any]:
    """What is on an agent's desk now."""
    return await made.engine.control.desk(agent(made, number))


def agent(made: World, number: int = 0) -> str:
    """An agent's name."""
    return list(made.phones.agents)[number]


async def looking(
    made: World, number: int = 0, at: str | None = None, seconds: float = 30.0
) -> dict[str, Any]:
    """Wait until an agent looks at a contact (with this number) and return the desk."""
    found: dict[str, Any] = {}

    async def shown() -> bool:
        found.clear()
        found.update(await desk(made, number))
        return found["state"] == "looking" and at in (None, found["contact"]["number"])

    await until(shown, f"agent {number} looks at {at or 'a contact'}", seconds)
    return found


async def until_desk(made: World, state: str, number: int = 0, seconds: float = 30.0) -> dict[str, Any]:
    """Wait until an agent's desk says this and return it."""
    found: dict[str, Any] = {}

    async def reached() -> bool:
        found.clear()
        found.update(await desk(made, number))
        return bool(found["state"] == state)

    await until(reached, f"the desk of agent {number} says {state}", seconds)
    return found


async def dial(made: World, number: int = 0) -> None:
    """Dial what the agent sees."""
    seen = await looking(made, number)
    await made.engine.control.act(agent(made, number), "dial", preview=seen["preview"])


async def skip(made: World, number: int = 0, reason: str | None = None) -> None:
    """Skip what the agent sees."""
    seen = await looking(made, number)
    await made.engine.control.act(agent(made, number), "skip", preview=seen["preview"], reason=reason)
