"""What the engine lets people hear, ready on disk before anything is dialed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.prompts import (
    drop_message_text,
    import_prompt,
    make_prompt,
    make_standard_prompts,
    prompt_version,
    recording_version,
)
from dialer_engine.pbx.tones import make_tones
from dialer_engine.settings.load import Config
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


def drop_prompts(config: Config, bundle: Bundle, sounds: Path) -> dict[str, Prompt]:
    """Make the drop messages of all campaigns, by the campaign's name. Raises PromptError."""
    members = config.settings.members
    return {
        name: drop_prompt(bundle, sounds, campaign, members[campaign.member])
        for name, campaign in config.campaigns.items()
    }


def drop_versions(config: Config) -> Mapping[str, str]:
    """Return which version of each campaign's drop message is to be played; makes none. Raises PromptError."""
    return {name: _drop_version(config, campaign) for name, campaign in config.campaigns.items()}


def _drop_version(config: Config, campaign: Campaign) -> str:
    own = campaign.drop_message.prompt
    if own is not None:
        return recording_version(own)
    return prompt_version(_drop_text(campaign, config.settings.members[campaign.member]))


def _drop_text(campaign: Campaign, member: MemberSettings) -> str:
    own = campaign.drop_message
    return drop_message_text(member.name, own.callback_number or member.callback_number, own.seller)


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
    text = _drop_text(campaign, member)
    target = sounds / "campaigns" / f"{campaign.name}-{prompt_version(text)}.wav"
    return Prompt(str(target.relative_to(sounds).with_suffix("")), make_prompt(bundle, text, target), text)
