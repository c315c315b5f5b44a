"""A campaign as the engine runs it: its settings with ids, limits and prompt, rebuilt on every reload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from dialer_engine.core.gate import CampaignHours, EmergencyStop, GateContext, Limits
from dialer_engine.core.gate.lists import REASSIGNED
from dialer_engine.core.gate.model import Dialing
from dialer_engine.core.gate.rulebook import Dated, RuleBook, turns
from dialer_engine.engine.prompts import Prompt
from dialer_engine.settings.load import Config
from dialer_engine.settings.models import Campaign, Disposition
from dialer_engine.store.queue import settings_text

_LAST_DATE, _FIRST_DATE = timedelta(hours=-11), timedelta(hours=10)
"""Where the date changes last and first among the places that are called, American Samoa and Guam. In all the Americas
it has changed by then, at an hour (11:00 UTC) before anybody there may be called."""


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """Everything a runner needs to know of its campaign; ids are those of the database.

    `held_under` tells what refusals go by at a moment of the gate's clock (see the function of this name);
    `record_version` names what records of calls that are reserved now say of the campaign (table `record_fields`).
    """

    settings: Campaign
    campaign_id: int
    member_id: int
    prompt: Prompt
    limits: Limits
    script: str | None = field(default=None, repr=False)
    held_under: Callable[[datetime], str] | None = field(default=None, repr=False, compare=False)
    record_version: str | None = None

    @property
    def name(self) -> str:
        """The campaign's name, which is its file's stem."""
        return self.settings.name

    def disposition(self, code: str | None) -> Disposition | None:
        """Return the disposition with this code, or the campaign's default; None when there is none."""
        wanted = code if code is not None else self.settings.default_disposition
        table = self.settings.dispositions.values()
        return next((d for d in table if d.code == wanted), None)

    def retry_delay(self, result: str) -> timedelta | None:
        """Return the delay after a result, None for never again."""
        return self.limits.retry.get(result)

    def works_with(self, agent: str, agent_member: int | None) -> bool:
        """Return whether an agent takes this campaign's calls: named in it, or all of the Member's."""
        if self.settings.agents == "all":
            return agent_member is None or agent_member == self.member_id
        return agent in self.settings.agents


def limits_of(campaign: Campaign) -> Limits:
    """Return the gate's limits of a campaign."""
    hours = campaign.hours
    own = CampaignHours(hours.start, hours.end, tuple(hours.weekdays)) if hours else None
    return Limits(
        per_number_24h=campaign.attempts.per_number_24h,
        per_contact_total=campaign.attempts.per_contact_total,
        retry=campaign.retry.delays(),
        hours=own,
        per_person_24h=campaign.attempts.per_person_24h,
    )


def dialing_of(campaign: Campaign) -> Dialing:
    """Return who dials for the law: a preview that dials by itself in the end is dialed by the engine."""
    alone = campaign.mode == "preview" and campaign.preview.at_end == "dial"
    return "progressive" if alone else campaign.mode


def gate_context(
    config: Config,
    campaign: Campaign | None,
    limits: Limits,
    now: datetime,
    stops: Sequence[EmergencyStop] = (),
) -> GateContext:
    """Return the gate's context of a campaign, the same for the engine and for whoever asks about it.

    Without a campaign the gate answers as for an ordinary one. A reservation reads the stops itself.
    """
    context = GateContext(
        now=now,
        rules=config.rules,
        plan=config.plan,
        limits=limits,
        lab=config.settings.lab is not None,
        lists=config.rules.lists,
        stops=tuple(stops),
    )
    if campaign is None:
        return context
    return replace(
        context,
        dialing=dialing_of(campaign),
        strict_predictive=campaign.strict_predictive,
        territories=frozenset(campaign.territories),
        business=campaign.audience == "businesses",
    )


def ring_window(config: Config, number: str, now: datetime) -> tuple[int, int] | None:
    """Return how many seconds a number must ring at least and may ring at most, by its area code alone.

    For calls of an earlier engine: what the gate found for the contact's own address is not in the record. None when
    the area code is in no table.
    """
    area = config.plan.area(number)
    if area is None:
        return None
    return config.rules.ring_window((area.country, *area.regions), [now.date()])


def held_under(config: Config, campaign: Campaign, now: datetime) -> str:
    """Return what refusals of the gate go by at `now` (gate's clock), per rule: settings, files, dated rows in force.

    Other settings, files or rows, other verdicts. Only rules that refuse until something changes stand here; what waits
    is looked at again by itself. `zone_data` goes by the version of the files alone.
    """
    limits = limits_of(campaign)
    context = gate_context(config, campaign, limits, now)
    message = [context.strict_predictive, context.dialing == "manual"]
    dated = _dated(config.rules, now)
    version = config.rules.version
    retry = {
        result: None if delay is None else delay.total_seconds() for result, delay in limits.retry.items()
    }
    return settings_text(
        {
            "number_class": [sorted(context.territories), context.lab, version],
            "emergency_stop": version,
            "zone_data": version,
            "registry": context.business,
            "list_freshness": [context.business, context.lab, version, dated["list_freshness"]],
            "reassigned": [context.lab, version, dated["reassigned"]],
            "wireless": message,
            "automated_dialing": [context.dialing, context.business, version, dated["automated_dialing"]],
            "holiday": [version, dated["holiday"]],
            "announcing_device": [*message, version, dated["announcing_device"]],
            "contact_attempts": limits.per_contact_total,
            "retry_delay": retry,
        }
    )


def _dated(rules: RuleBook, now: datetime) -> Mapping[str, Sequence[object]]:
    """Return which dated rows are in force, by the gate's rule that goes by them: on the dates that it asks about."""
    here = ((now + _LAST_DATE).date(), (now + _FIRST_DATE).date())
    asked = [row for row in rules.lists.required if row.name == REASSIGNED]
    return {
        "automated_dialing": [turns(_rows(rules.automated), day) for day in here],
        "announcing_device": [turns(_rows(rules.devices), day) for day in here],
        "holiday": [(turns(_rows(rules.regions), day), day.year in rules.holiday_years) for day in here],
        "list_freshness": [turns(rules.lists.required, now.date()), turns(_rows(rules.terms), now.date())],
        "reassigned": [turns(asked, now.date())],
    }


def _rows(by_region: Mapping[str, Sequence[Dated]]) -> Iterable[Dated]:
    return chain.from_iterable(by_region.values())
