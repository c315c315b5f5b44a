"""What the engine lets people hear, ready on disk before anything is dialed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.prompts import (
    drop_message_text,
    import_prompt,
    make_prompt,
    make_standard_prompts,
    prompt_version,
)
from dialer_engine.pbx.tones import make_tones
from dialer_engine.settings.models import Campaign, MemberSettings

DEFAULT_DROP = (
    "Hello. This was a call for telemarketing purposes that could not be connected. "
    "To be taken off the calling list, press 9 now. Good bye."
)
"""Played only when a campaign's own recording cannot be opened at that moment."""


STANDARD = "standard"
"""Directory, below a node's recordings, of those that every node needs."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A recording that Asterisk can play: its path without the ending, and its version for the CDR.

    The path is below a node's directory of recordings, so that it holds on every node. `content` is what it says, as
    far as it is known: a recording of one's own is named by its file.
    """

    path: str
    version: str
    content: str = ""


def standard_prompts(bundle: Bundle, sounds: Path) -> Path:
    """Make the prompts that every node needs; returns their directory. Raises PromptError."""
    directory = sounds / STANDARD
    make_standard_prompts(bundle, directory)
    make_prompt(bundle, DEFAULT_DROP, directory / "default-drop.wav")
    make_tones(bundle, directory)
    return directory


def drop_prompt(bundle: Bundle, sounds: Path, campaign: Campaign, member: MemberSettings) -> Prompt:
    """Make or convert the campaign's drop message. Raises PromptError with the place and the remedy.

    The version is part of the file's name, so a call in progress keeps the recording it began with.
    """
    own = campaign.drop_message
    if own.prompt is not None:
        staged = sounds / "campaigns" / f"{campaign.name}-own.wav"
        version = import_prompt(bundle, own.prompt, staged)
        final = staged.with_name(f"{campaign.name}-{version}.wav")
        import_prompt(bundle, own.prompt, final)
        return Prompt(
            str(final.relative_to(sounds).with_suffix("")), version, f"own recording {own.prompt.name}"
        )
    callback = own.callback_number or member.callback_number
    text = drop_message_text(member.name, callback, own.seller)
    target = sounds / "campaigns" / f"{campaign.name}-{prompt_version(text)}.wav"
    return Prompt(str(target.relative_to(sounds).with_suffix("")), make_prompt(bundle, text, target), text)
