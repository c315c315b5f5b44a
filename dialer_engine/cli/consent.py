"""`dialer consent add|revoke|message|show|import|inbound`: consents and relationships, with their evidence."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    not_blank,
    read_config,
)
from dialer_engine.cli.database import database, moment, who
from dialer_engine.cli.numbers import number_given, tell_suppressed
from dialer_engine.cli.terminal import say, say_json
from dialer_engine.contacts.consent_file import ConsentImport, import_consents
from dialer_engine.core.gate import ConsentKind
from dialer_engine.core.gate.opt_out_words import OptOut, text_of
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import Config
from dialer_engine.store import consent as store
from dialer_engine.store.directory import member_id_of

NumberArgument = Annotated[str, typer.Argument(help="The number, such as +12105550100.")]
MemberOption = Annotated[str, typer.Option("--member", "-m", help="The Member it was given to.")]
AnyMemberOption = Annotated[
    str | None, typer.Option("--member", "-m", help="Only this Member; default everybody here.")
]
KindOption = Annotated[ConsentKind, typer.Option("--kind", help="How strong it is.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="When it was given; default now.")]
SourceOption = Annotated[
    str, typer.Option("--source", callback=not_blank, help="Where it comes from, such as a form's address.")
]
PurposeOption = Annotated[str, typer.Option("--purpose", help="What for.")]
TextOption = Annotated[str, typer.Option("--text", help="The words the person agreed to.")]
EvidenceOption = Annotated[str, typer.Option("--evidence", help="Where the original is kept.")]
PersonOption = Annotated[str, typer.Option("--person", help="Who gave it.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="Kept with the revocation.")]
ChannelOption = Annotated[
    str, typer.Option("--channel", callback=not_blank, help="How it was said: letter, email, sms ...")
]

MessageChannelOption = Annotated[
    str, typer.Option("--channel", callback=not_blank, help="How it came: sms, email ...")
]
DOUBTFUL = 3
"""The exit status when a person must read what was written."""


def add(
    number: NumberArgument,
    member: MemberOption,
    kind: KindOption,
    source: SourceOption,
    since: SinceOption = None,
    purpose: PurposeOption = "",
    text: TextOption = "",
    evidence: EvidenceOption = "",
    person: PersonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Record a consent or relationship; it takes no number off a do-not-call list."""
    if kind is ConsentKind.express_written and not (text or evidence):
        raise fail("a signed consent needs the words that were signed (--text) or their place (--evidence)")
    given = moment(since, utc_now())
    new = store.NewConsent(number_given(number), kind, given, source, purpose, text, evidence, person)
    done = carry_out(_add(read_config(config), member, new))
    say(f"{kind.value} recorded for {new.number}" if done.numbers else "this consent stood there already")
    if done.older:
        say("it is older than a request not to call, and has ended with that", err=True)


async def _add(config: Config, member: str, new: store.NewConsent) -> store.Recorded:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member)
        return await store.add(conn, member_id, [new], utc_now(), who=who())


def inbound(number: NumberArgument, member: MemberOption, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Record that a customer called in: it counts as an inquiry for three months."""
    e164 = number_given(number)
    added = carry_out(_inbound(read_config(config), member, e164))
    say(f"inquiry of {e164} recorded" if added else "this call was recorded already")


async def _inbound(config: Config, member: str, number: str) -> bool:
    async with database(config) as conn:
        return await store.inbound_call(conn, number, await member_id_of(conn, member), utc_now())


def revoke(
    number: NumberArgument,
    member: AnyMemberOption = None,
    channel: ChannelOption = "command",
    note: NoteOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End a person's consents and call none of their numbers any more; ringing calls are cancelled."""
    _tell(carry_out(_revoke(read_config(config), number_given(number), member, channel, note)), config)


def _tell(done: store.Revocation, config: Path) -> None:
    """Tell the engine and the person at the keyboard what a revocation did."""
    told = carry_out(tell_suppressed(config, done.forbidden))
    numbers = len(done.numbers)
    say(f"{len(done.consents)} consent(s) ended; {numbers} number(s) of the person are not called any more")
    if done.to_cancel and not told:
        say(f"{len(done.to_cancel)} call(s) are under way, and the engine could not be told", err=True)


async def _revoke(
    config: Config, number: str, member: str | None, channel: str, note: str | None
) -> store.Revocation:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        return await store.revoke(conn, number, member_id, channel, utc_now(), who=who(), note=note)


def message(
    number: NumberArgument,
    text: Annotated[str, typer.Argument(help="What the person wrote; - reads it from standard input.")],
    member: AnyMemberOption = None,
    channel: MessageChannelOption = "sms",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read a text or e-mail of a called person: an opt-out counts at once, a doubtful one is left to you (status 3)."""
    words = text_of(sys.stdin.buffer.read() if text == "-" else os.fsencode(text))
    e164 = number_given(number)
    meant, done = carry_out(_message(read_config(config), e164, member, channel, words))
    if done is not None:
        _tell(done, config)
    elif meant is OptOut.perhaps:
        say(
            f"this may be an opt-out: read it, and if it is: dialer consent revoke {e164} --channel {channel}"
        )
        raise typer.Exit(DOUBTFUL)
    else:
        say("this is no opt-out; nothing was changed")


async def _message(
    config: Config, number: str, member: str | None, channel: str, text: str
) -> tuple[OptOut, store.Revocation | None]:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        return await store.take_message(conn, number, member_id, channel, text, utc_now())


def show(number: NumberArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show every consent of a number with its evidence and what became of it."""
    e164 = number_given(number)
    found = carry_out(_show(read_config(config), e164))
    if as_json:
        say_json([asdict(each) for each in found])
        return
    if not found:
        say(f"{e164}: no consent is recorded")
    for each in found:
        say(f"{each.id}  {each.member}: {each.kind} since {each.since:%Y-%m-%d %H:%M} UTC, {each.source}")
        for name in ("purpose", "text_shown", "evidence", "person"):
            if value := getattr(each, name):
                say(f"    {name}: {value}")
        say(f"    recorded {each.recorded_at:%Y-%m-%d %H:%M} UTC by {each.recorded_by}")
        if each.revoked_at is not None:
            say(f"    revoked {each.revoked_at:%Y-%m-%d %H:%M} UTC by {each.revoked_by_channel}")


async def _show(config: Config, number: str) -> list[store.ConsentRecord]:
    async with database(config) as conn:
        return await store.of_number(conn, number)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV with number, kind, since, source and more.")],
    member: MemberOption,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Record the consents of a CSV file; one bad row refuses the whole file."""
    done = carry_out(_import(read_config(config), file, member))
    say(f"{done.rows:,} rows: {done.added:,} consents recorded, {done.known:,} stood there already")
    if done.older:
        say(
            f"{done.older:,} consents are older than a request not to call, and have ended with that",
            err=True,
        )


async def _import(config: Config, file: Path, member: str) -> ConsentImport:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member)
        return await import_consents(conn, file, member_id, utc_now(), who=who())


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Consents: add, revoke, message, show, import, inbound.")
    group.command("add")(add)
    group.command("revoke")(revoke)
    group.command("message")(message)
    group.command("show")(show)
    group.command("import")(import_)
    group.command("inbound")(inbound)
    app.add_typer(group, name="consent")
