"""All simulated agents with their phones: started, registered, on duty, and at the end hung up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence

from dialer_engine.lab.agents import Manners, Pressed, SimAgent
from dialer_engine.lab.audiosocket import AudioServer
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.phones import Phone, phones_files
from dialer_engine.lab.place import LabError
from dialer_engine.pbx.ami import AmiAdapter, AmiError
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.instance import DUTY_EXTENSION
from dialer_engine.pbx.node import Node

APP = "lab-phones"
DIGIT_MS = 120
RING_SECONDS = 10
TOGETHER = 20
HANGS_UP_STEPS = 100
SURE_STEPS = 10
PATIENCE_STEPS = 50
AGAIN_S = 0.2


class PhoneBank:
    """The phones' Asterisk, the server of their audio, and the people who hold them."""

    def __init__(
        self, node: Node, phones: Sequence[Phone], manners: Manners, seed: int, *, deaf: bool = False
    ) -> None:
        """Phones of one user are one agent's, who dials by the next when one does not get through."""
        dice = Dice(seed)
        self._ways = defaultdict[str, deque[str]](deque)
        for phone in phones:
            self._ways[phone.user].append(phone.name)
        self.agents = {user: SimAgent(user, manners, dice, self._press) for user in self._ways}
        self.audio = AudioServer(self._find)
        self.failed_presses = 0
        self.pressed: list[Pressed] = []
        self._node = node
        self._context = "deaf" if deaf else "ears"
        self.accounts = tuple(phones)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ari = AriClient(
            node.config.ari_url,
            node.secrets.ari_user,
            node.secrets.ari_password,
            APP,
            on_event=lambda event: None,
            on_link=lambda up: None,
            subscribe_all=False,
        )
        self._commands = Commands(self._ari)
        config, secrets = node.config, node.secrets
        self._ami = AmiAdapter(config.control_bind, config.ami_port, secrets.ami_user, secrets.ami_password)

    @property
    def hearing(self) -> bool:
        """Whether any agent hears a customer now, who does not stand in `heard` yet."""
        return any(agent.hearing for agent in self.agents.values())

    @property
    def heard(self) -> list[Heard]:
        """Every customer that any agent heard to the end, in the order in which they began."""
        calls = (heard for agent in self.agents.values() for heard in agent.heard_calls)
        return sorted(calls, key=lambda heard: heard.first)

    @property
    def on_duty(self) -> int:
        """How many phones are in a call with the engine."""
        return sum(agent.on_duty for agent in self.agents.values())

    @property
    def pid(self) -> int | None:
        """The process of the phones' Asterisk."""
        return self._node.pid

    async def start(self) -> None:
        """Start the audio server and the phones; they begin to register at once."""
        await self.audio.start()
        self._node.render(phones_files(self._node, self.accounts, self.audio.port))
        await self._node.ensure_running()
        await self._ari.start()
        await self._ami.start()

    async def go_on_duty(self, timeout_s: float = 30.0) -> None:
        """Let every agent dial the duty extension, again and again until the engine takes the call."""
        try:
            async with asyncio.timeout(timeout_s):
                few = asyncio.Semaphore(TOGETHER)
                await asyncio.gather(*(self._go(agent, few) for agent in self.agents.values()))
        except TimeoutError as error:
            missing = [name for name, agent in self.agents.items() if not agent.on_duty]
            raise LabError(f"these agents could not go on duty in {timeout_s:g} s: {missing}") from error

    async def dial_in_again(self, timeout_s: float) -> None:
        """Let everybody hang up a phone that has gone silent, and go on duty again."""
        for agent in self.agents.values():
            agent.hang_up()
        for _ in range(HANGS_UP_STEPS):
            if not self.on_duty:
                break
            await asyncio.sleep(0.05)
        await self.go_on_duty(timeout_s)

    def dialed_by(self, end: str) -> list[str]:
        """Return the agents whose present phone's name ends so: they are at one node."""
        return [name for name, ways in self._ways.items() if ways[0].endswith(end)]

    async def dial_elsewhere(self, names: Sequence[str], timeout_s: float) -> None:
        """Let agents hang up phones that have gone silent, and dial in by their next ones."""
        for name in names:
            self.agents[name].hang_up()
            self._ways[name].rotate(-1)
        for _ in range(HANGS_UP_STEPS):
            if not any(self.agents[name].on_duty for name in names):
                break
            await asyncio.sleep(0.05)
        await self.go_on_duty(timeout_s)

    async def vanish(self) -> None:
        """Kill all phones: nobody hangs up, the audio just stops."""
        if self._node.pid is not None:
            os.kill(self._node.pid, signal.SIGKILL)
        await self._node.stop(1.0)

    async def come_back(self, timeout_s: float) -> None:
        """Start new phones in the place of those that vanished; everybody goes on duty again."""
        await self._node.ensure_running()
        await self.go_on_duty(timeout_s)

    @contextlib.contextmanager
    def forbidding(self) -> Iterator[None]:
        """Until the block is left every talk that ends is followed by a do-not-call of its agent."""
        before = {agent: agent.forbids_share for agent in self.agents.values()}
        for agent in before:
            agent.forbids_share = 1.0
        try:
            yield
        finally:
            for agent, share in before.items():
                agent.forbids_share = share

    async def call(self, phone: str, extension: str, leg: str) -> None:
        """Let a phone dial something; the answered leg's audio goes to the agent that has this leg id."""
        await self._commands.originate(
            leg,
            f"PJSIP/{extension}@{phone}",
            context=self._context,
            extension="s",
            caller_id=phone,
            timeout_s=RING_SECONDS,
            variables={"LEG": leg},
        )

    async def close(self) -> None:
        """Hang up every phone and end their Asterisk."""
        for agent in self.agents.values():
            agent.leave()
        for task in self._tasks:
            task.cancel()
        await self.audio.close()
        with contextlib.suppress(AriError, OSError):
            await self._ami.close()
            await self._ari.close()
        await self._node.stop(2.0)

    async def _go(self, agent: SimAgent, few: asyncio.Semaphore) -> None:
        async with few:
            while not agent.on_duty:
                with contextlib.suppress(AriError):
                    await self.call(self._ways[agent.name][0], DUTY_EXTENSION, agent.new_leg())
                    await self._connected(agent)
                    if not agent.on_duty:
                        # Answered late it would take the seat from the next one, and nobody has its audio.
                        await self._commands.hangup(agent.leg)
                if not agent.on_duty:
                    self._ways[agent.name].rotate(-1)
                    await asyncio.sleep(AGAIN_S)

    async def _connected(self, agent: SimAgent) -> None:
        """Wait until the agent is on duty, the call has ended, or it takes too long."""
        for step in range(PATIENCE_STEPS):
            agent.on_duty = agent.on_duty or await self._answered(agent.leg)
            gone = step >= SURE_STEPS and await self._commands.channel(agent.leg) is None
            if agent.on_duty or gone:
                return
            await asyncio.sleep(0.1)

    async def _answered(self, leg: str) -> bool:
        """Whether a deaf phone's call was answered; one with ears is known by its audio."""
        if self._context != "deaf":
            return False
        channel = await self._commands.channel(leg)
        return channel is not None and channel.state == "Up"

    def _find(self, leg: str) -> SimAgent | None:
        return next((agent for agent in self.agents.values() if agent.leg == leg), None)

    def _press(self, leg: str, digit: str) -> None:
        task = asyncio.create_task(self._send_digit(leg, digit), name=f"press {digit}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_digit(self, leg: str, digit: str) -> None:
        press = {"Channel": leg, "Digit": digit, "Duration": str(DIGIT_MS)}
        agent, at = self._find(leg), time.time()
        about = agent.talked_with if agent is not None else None
        try:
            # Async only because the AMI library looks for it when a reply says "successfully queued".
            await self._ami.action("PlayDTMF", **press, Async="false")
        except AmiError:
            # The engine may have ended the leg in this very moment; anything more shows in the count.
            self.failed_presses += 1
        else:
            if agent is not None and about is not None:
                self.pressed.append(Pressed(agent.name, digit, at, about))
