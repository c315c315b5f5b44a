"""What is allowed but risky; `dialer check` warns about it and goes on."""

import ipaddress
import stat
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from dialer_engine.core.seat import DO_NOT_CALL_WITHIN
from dialer_engine.settings.campaign import Campaign, Retry
from dialer_engine.settings.crosscheck import is_loopback
from dialer_engine.settings.models import Settings
from dialer_engine.settings.problems import Problem
from dialer_engine.settings.trunk import Trunk
from dialer_engine.settings.yaml_text import Document, Steps

CARRIER_RATES = {"twilio.com": 1.0}
"""Default calls per second of carriers that publish one; docs/connect-a-trunk.md names the sources."""
RING_WINDOW = (16, 28)
"""Seconds: at least 15 s from the first ringing in the US, at most five rings in Puerto Rico."""
MANY_LINES = 3.0
PORTS_OF_A_CALL = 4


def find_risks(
    engine: Document, documents: Sequence[Document], settings: Settings, campaigns: Mapping[str, Campaign]
) -> Iterator[Problem]:
    """All risks of a valid configuration, with their places."""
    yield from _empty(engine, settings, campaigns)
    yield from _readable_secrets(engine, settings)
    yield from _addresses(engine, settings)
    yield from _clear_text(engine, settings)
    yield from _database(engine, settings)
    yield from _audio_ports(engine, settings)
    for name, member in settings.members.items():
        yield from _placeholder(engine, ("members", name, "callback_number"), member.callback_number)
    for name, trunk in settings.trunks.items():
        yield from _trunk(engine, name, trunk)
    for document in documents:
        yield from _campaign(document, campaigns[document.file.stem])


def _empty(engine: Document, settings: Settings, campaigns: Mapping[str, Campaign]) -> Iterator[Problem]:
    found = {"members": settings.members, "trunks": settings.trunks, "campaigns": campaigns}
    for kind, items in found.items():
        if not items:
            yield engine.problem((), f"no {kind}: nothing can be called", f"at least one of the {kind}")


def _readable_secrets(engine: Document, settings: Settings) -> Iterator[Problem]:
    secret = settings.database.url or any(trunk.password for trunk in settings.trunks.values())
    if (secret or settings.asterisk.nodes) and engine.file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        yield engine.problem(
            (), "passwords that every user of this machine can read", f"chmod 640 {engine.file}"
        )


def _addresses(engine: Document, settings: Settings) -> Iterator[Problem]:
    node = settings.asterisk.node
    path = ("asterisk", "node", "bind")
    away = [name for name, trunk in settings.trunks.items() if not is_loopback(trunk.host)]
    if not settings.asterisk.managed:
        return
    if away and is_loopback(node.bind):
        what = f"bind {node.bind} cannot reach trunk '{away[0]}'"
        yield engine.problem(path, what, "the address of this machine, or 0.0.0.0")
    if ipaddress.ip_address(node.bind).is_unspecified:
        what = f"bind {node.bind} opens SIP on every network of this machine"
        yield engine.problem(path, what, "a firewall that admits only your carriers and agents")


def _clear_text(engine: Document, settings: Settings) -> Iterator[Problem]:
    """ARI and AMI have no encryption here: whoever sees their packets has the passwords and every event."""
    better = "a WireGuard or another private network, and private_network: true"
    node = settings.asterisk.node
    if settings.asterisk.managed and not (is_loopback(node.control_bind) or node.private_network):
        what = f"ARI and AMI send passwords in the clear on {node.control_bind}"
        yield engine.problem(("asterisk", "node", "control_bind"), what, better)
    for index, each in enumerate(settings.asterisk.nodes):
        url = urlsplit(each.ari_url)
        hosts = [str(each.ami_host), *([url.hostname or ""] if url.scheme == "http" else [])]
        away = [host for host in hosts if not is_loopback(host)]
        if away and not each.private_network:
            what = f"passwords of node '{each.name}' go in the clear to {away[0]}"
            yield engine.problem(("asterisk", "nodes", index), what, better)


def _database(engine: Document, settings: Settings) -> Iterator[Problem]:
    """Only verify-full keeps whoever sits between from reading every contact, and from being the database."""
    for key, url in (("url", settings.database.url), ("engine_url", settings.database.engine_url)):
        query = parse_qs(urlsplit(url or "").query)
        away = [host for host in _hosts(url or "", query) if _is_public(host)]
        if away and query.get("sslmode") != ["verify-full"]:
            what = f"the way to the database at {away[0]} is not verified: who sits between can read and alter all"
            better = (
                "sslmode=verify-full&sslrootcert=/path/to/its/ca.crt in the address, or a private network"
            )
            yield engine.problem(("database", key), what, better)


def _hosts(url: str, query: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts of a database's address, which may name several with commas."""
    places = urlsplit(url).netloc.rpartition("@")[2].split(",")
    named = [place.rpartition("]")[0][1:] if "]" in place else place.partition(":")[0] for place in places]
    return [host for given in (*named, *query.get("host", ())) for host in given.split(",") if host]


def _is_public(host: str) -> bool:
    """Whether the way to a host leaves this machine and its private networks, as far as its name tells."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # Neither a socket's directory nor a name such as localhost or a container's.
        return "." in host and not host.startswith(("/", "@"))


def _audio_ports(engine: Document, settings: Settings) -> Iterator[Problem]:
    """Half the range is in use at a time, and a channel with its agent takes four ports; further nodes share calls."""
    rtp, channels = settings.asterisk.node.rtp, sum(trunk.max_channels for trunk in settings.trunks.values())
    least = 2 * PORTS_OF_A_CALL * channels
    if settings.asterisk.managed and not settings.asterisk.nodes and rtp.end - rtp.start + 1 < least:
        what = f"the range {rtp.start}-{rtp.end} is too small for the {channels} channels of all trunks"
        yield engine.problem(
            ("asterisk", "node", "rtp"), what, f"at least {least} ports, open in the firewall"
        )


def _placeholder(document: Document, path: Steps, number: str) -> Iterator[Problem]:
    """Toll-free 555-01XX numbers are the example's; those with an area code are refused outside the lab."""
    if number[5:10] == "55501" and number[2] == "8":
        yield document.problem(path, "this is the example's number", "a number of your own")


def _trunk(engine: Document, name: str, trunk: Trunk) -> Iterator[Problem]:
    path = ("trunks", name)
    if trunk.host.endswith(".example"):
        yield engine.problem((*path, "host"), "this is the example's host", "your carrier's host")
    if trunk.password is None and not trunk.inbound_ips and not is_loopback(trunk.host):
        what = (
            "neither password nor inbound_ips: calls go out only if the carrier knows this machine's address"
        )
        better = "username and password, or the carrier's addresses in inbound_ips"
        yield engine.problem(path, what, better, at_key=True)
    usual = next((rate for host, rate in CARRIER_RATES.items() if trunk.host.endswith(host)), None)
    if usual is not None and trunk.calls_per_second > usual:
        what = f"{trunk.calls_per_second:g} calls per second, above this carrier's default of {usual:g}"
        yield engine.problem((*path, "calls_per_second"), what, "the rate in your contract")
    if trunk.transport == "tls" and trunk.port == 5060:
        yield engine.problem((*path, "port"), "tls on port 5060", "usually port 5061")


def _campaign(document: Document, campaign: Campaign) -> Iterator[Problem]:
    for key, better in Retry.retired.items():
        if ("retry", key) in document.keys:
            yield document.problem(("retry", key), "this key does nothing", better, at_key=True)
    for index, number in enumerate(campaign.caller_ids):
        yield from _placeholder(document, ("caller_ids", index), number)
    low, high = RING_WINDOW
    if not low <= campaign.ring_seconds <= high:
        what = f"{campaign.ring_seconds} s of ringing is outside the legal window of some regions"
        yield document.problem(("ring_seconds",), what, f"{low} to {high}")
    if campaign.cancel_before_15s:
        what = "calls may be cancelled before 15 s of ringing, which US law forbids for telemarketing"
        yield document.problem(("cancel_before_15s",), what, "false, unless a lawyer agreed")
    yield from _late_keys(document, campaign)
    if campaign.audience == "businesses":
        what = (
            "no do-not-call registry is asked about any number of this campaign, however the list came about"
        )
        better = "consumers, unless every number is a business's and a lawyer agreed"
        yield document.problem(("audience",), what, better)
    if campaign.mode == "preview" and campaign.preview.at_end == "dial":
        what = "a contact nobody decides on is dialed by the engine: automated dialing, as in progressive"
        yield document.problem(("preview", "at_end"), what, "skip, so that a person starts every call")
    if campaign.mode == "power" and campaign.lines_per_agent > MANY_LINES:
        what = f"{campaign.lines_per_agent:g} lines per agent make abandoned calls likely"
        yield document.problem(
            ("lines_per_agent",), what, f"up to {MANY_LINES:g}, and watch the abandon rate"
        )


def _late_keys(document: Document, campaign: Campaign) -> Iterator[Problem]:
    """Without a wrap-up the next talk may begin before the agent has pressed what the person asked for."""
    keys = sorted(digit for digit, meaning in campaign.dispositions.items() if meaning.suppress)
    if keys and campaign.wrap_seconds == 0:
        seconds = DO_NOT_CALL_WITHIN.total_seconds()
        what = (
            f"without a wrap-up the do-not-call key {', '.join(keys)} works for {seconds:g} s after the talk, and only "
            "while the next talk has not begun"
        )
        yield document.problem(("wrap_seconds",), what, "5 or more seconds")
