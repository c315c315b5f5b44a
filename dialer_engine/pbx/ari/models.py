"""Types of Asterisk's REST interface. Generated from its API documents by `generate.py`."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class Message(msgspec.Struct, kw_only=True, tag_field="type", tag=True):
    asterisk_id: str | None = None


class Event(Message, kw_only=True):
    application: str
    timestamp: str


class AdditionalParam(msgspec.Struct, kw_only=True):
    parameter_name: str
    parameter_value: str


class Application(msgspec.Struct, kw_only=True):
    bridge_ids: list[str]
    channel_ids: list[str]
    device_names: list[str]
    endpoint_ids: list[str]
    events_allowed: list[Any]
    events_disallowed: list[Any]
    name: str


class ApplicationMoveFailed(Event, kw_only=True):
    args: list[str]
    channel: Channel
    destination: str


class ApplicationRegistered(Event, kw_only=True):
    pass


class ApplicationReplaced(Event, kw_only=True):
    pass


class ApplicationUnregistered(Event, kw_only=True):
    pass


class AsteriskInfo(msgspec.Struct, kw_only=True):
    build: BuildInfo | None = None
    config: ConfigInfo | None = None
    status: StatusInfo | None = None
    system: SystemInfo | None = None


class AsteriskPing(msgspec.Struct, kw_only=True):
    asterisk_id: str
    ping: str
    timestamp: str


class Bridge(msgspec.Struct, kw_only=True):
    bridge_class: str
    bridge_type: str
    bridgevars: Any | None = None
    channels: list[str]
    creationtime: str
    creator: str
    id: str
    name: str
    technology: str
    video_mode: str | None = None
    video_source_id: str | None = None


class BridgeAttendedTransfer(Event, kw_only=True):
    destination_application: str | None = None
    destination_bridge: str | None = None
    destination_link_first_leg: Channel | None = None
    destination_link_second_leg: Channel | None = None
    destination_threeway_bridge: Bridge | None = None
    destination_threeway_channel: Channel | None = None
    destination_type: str
    is_external: bool
    replace_channel: Channel | None = None
    result: str
    transfer_target: Channel | None = None
    transferee: Channel | None = None
    transferer_first_leg: Channel
    transferer_first_leg_bridge: Bridge | None = None
    transferer_second_leg: Channel
    transferer_second_leg_bridge: Bridge | None = None


class BridgeBlindTransfer(Event, kw_only=True):
    bridge: Bridge | None = None
    channel: Channel
    context: str
    exten: str
    is_external: bool
    replace_channel: Channel | None = None
    result: str
    transferee: Channel | None = None


class BridgeCreated(Event, kw_only=True):
    bridge: Bridge


class BridgeDestroyed(Event, kw_only=True):
    bridge: Bridge


class BridgeMerged(Event, kw_only=True):
    bridge: Bridge
    bridge_from: Bridge


class BridgeVideoSourceChanged(Event, kw_only=True):
    bridge: Bridge
    old_video_source_id: str | None = None


class BuildInfo(msgspec.Struct, kw_only=True):
    date: str
    kernel: str
    machine: str
    options: str
    os: str
    user: str


class CallBroadcast(Event, kw_only=True):
    called: str | None = None
    caller: str | None = None
    channel: Channel


class CallClaimed(Event, kw_only=True):
    channel: Channel
    winner_app: str


class CallerID(msgspec.Struct, kw_only=True):
    name: str
    number: str


class Channel(msgspec.Struct, kw_only=True):
    accountcode: str
    caller: CallerID
    caller_rdnis: str | None = None
    channelvars: Any | None = None
    connected: CallerID
    creationtime: str
    dialplan: DialplanCEP
    id: str
    language: str
    name: str
    protocol_id: str
    state: str
    tenantid: str | None = None


class ChannelCallerId(Event, kw_only=True):
    caller_presentation: int
    caller_presentation_txt: str
    channel: Channel


class ChannelConnectedLine(Event, kw_only=True):
    channel: Channel


class ChannelCreated(Event, kw_only=True):
    channel: Channel


class ChannelDestroyed(Event, kw_only=True):
    cause: int
    cause_txt: str
    channel: Channel
    tech_cause: int | None = None


class ChannelDialplan(Event, kw_only=True):
    channel: Channel
    dialplan_app: str
    dialplan_app_data: str


class ChannelDtmfReceived(Event, kw_only=True):
    channel: Channel
    digit: str
    duration_ms: int


class ChannelEnteredBridge(Event, kw_only=True):
    bridge: Bridge
    channel: Channel | None = None


class ChannelHangupRequest(Event, kw_only=True):
    cause: int | None = None
    channel: Channel
    soft: bool | None = None
    tech_cause: int | None = None


class ChannelHold(Event, kw_only=True):
    channel: Channel
    musicclass: str | None = None


class ChannelLeftBridge(Event, kw_only=True):
    bridge: Bridge
    channel: Channel


class ChannelStateChange(Event, kw_only=True):
    channel: Channel


class ChannelTalkingFinished(Event, kw_only=True):
    channel: Channel
    duration: int


class ChannelTalkingStarted(Event, kw_only=True):
    channel: Channel


class ChannelToneDetected(Event, kw_only=True):
    channel: Channel


class ChannelTransfer(Event, kw_only=True):
    refer_to: ReferTo
    referred_by: ReferredBy
    state: str | None = None


class ChannelUnhold(Event, kw_only=True):
    channel: Channel


class ChannelUserevent(Event, kw_only=True):
    bridge: Bridge | None = None
    channel: Channel | None = None
    endpoint: Endpoint | None = None
    eventname: str
    userevent: Any


class ChannelVarset(Event, kw_only=True):
    channel: Channel | None = None
    value: str
    variable: str


class ConfigInfo(msgspec.Struct, kw_only=True):
    default_language: str
    max_channels: int | None = None
    max_load: float | None = None
    max_open_files: int | None = None
    name: str
    setid: SetId


class ConfigTuple(msgspec.Struct, kw_only=True):
    attribute: str
    value: str


class ContactInfo(msgspec.Struct, kw_only=True):
    aor: str
    contact_status: str
    roundtrip_usec: str | None = None
    uri: str


class ContactStatusChange(Event, kw_only=True):
    contact_info: ContactInfo
    endpoint: Endpoint


class DeviceState(msgspec.Struct, kw_only=True):
    name: str
    state: str


class DeviceStateChanged(Event, kw_only=True):
    device_state: DeviceState


class Dial(Event, kw_only=True):
    caller: Channel | None = None
    dialstatus: str
    dialstring: str | None = None
    forward: str | None = None
    forwarded: Channel | None = None
    peer: Channel


class Dialed(msgspec.Struct, kw_only=True):
    pass


class DialplanCEP(msgspec.Struct, kw_only=True):
    app_data: str
    app_name: str
    context: str
    exten: str
    priority: int


class Endpoint(msgspec.Struct, kw_only=True):
    channel_ids: list[str]
    resource: str
    state: str | None = None
    technology: str


class EndpointStateChange(Event, kw_only=True):
    endpoint: Endpoint


class FormatLangPair(msgspec.Struct, kw_only=True):
    format: str
    language: str


class LiveRecording(msgspec.Struct, kw_only=True):
    cause: str | None = None
    duration: int | None = None
    format: str
    name: str
    silence_duration: int | None = None
    state: str
    talking_duration: int | None = None
    target_uri: str


class LogChannel(msgspec.Struct, kw_only=True):
    channel: str
    configuration: str
    status: str
    type: str


class Mailbox(msgspec.Struct, kw_only=True):
    name: str
    new_messages: int
    old_messages: int


class MissingParams(Message, kw_only=True):
    params: list[str]


class Module(msgspec.Struct, kw_only=True):
    description: str
    name: str
    status: str
    support_level: str
    use_count: int


class Peer(msgspec.Struct, kw_only=True):
    address: str | None = None
    cause: str | None = None
    peer_status: str
    port: str | None = None
    time: str | None = None


class PeerStatusChange(Event, kw_only=True):
    endpoint: Endpoint
    peer: Peer


class Playback(msgspec.Struct, kw_only=True):
    id: str
    language: str | None = None
    media_uri: str
    next_media_uri: str | None = None
    state: str
    target_uri: str


class PlaybackContinuing(Event, kw_only=True):
    playback: Playback


class PlaybackFinished(Event, kw_only=True):
    playback: Playback


class PlaybackStarted(Event, kw_only=True):
    playback: Playback


class RESTHeader(msgspec.Struct, kw_only=True):
    name: str
    value: str


class RESTQueryStringParameter(msgspec.Struct, kw_only=True):
    name: str
    value: str


class RESTRequest(msgspec.Struct, kw_only=True):
    content_type: str | None = None
    message_body: str | None = None
    method: str
    query_strings: list[RESTQueryStringParameter] | None = None
    request_id: str
    transaction_id: str
    type: str
    uri: str


class RESTResponse(Event, kw_only=True):
    content_type: str | None = None
    message_body: str | None = None
    reason_phrase: str
    request_id: str
    status_code: int
    transaction_id: str
    uri: str


class RTPstat(msgspec.Struct, kw_only=True):
    channel_uniqueid: str
    local_maxjitter: float | None = None
    local_maxrxploss: float | None = None
    local_minjitter: float | None = None
    local_minrxploss: float | None = None
    local_normdevjitter: float | None = None
    local_normdevrxploss: float | None = None
    local_ssrc: int
    local_stdevjitter: float | None = None
    local_stdevrxploss: float | None = None
    maxrtt: float | None = None
    minrtt: float | None = None
    normdevrtt: float | None = None
    remote_maxjitter: float | None = None
    remote_maxrxploss: float | None = None
    remote_minjitter: float | None = None
    remote_minrxploss: float | None = None
    remote_normdevjitter: float | None = None
    remote_normdevrxploss: float | None = None
    remote_ssrc: int
    remote_stdevjitter: float | None = None
    remote_stdevrxploss: float | None = None
    rtt: float | None = None
    rxcount: int
    rxjitter: float | None = None
    rxoctetcount: int
    rxploss: int
    stdevrtt: float | None = None
    txcount: int
    txjitter: float | None = None
    txoctetcount: int
    txploss: int


class RecordingFailed(Event, kw_only=True):
    recording: LiveRecording


class RecordingFinished(Event, kw_only=True):
    recording: LiveRecording


class RecordingStarted(Event, kw_only=True):
    recording: LiveRecording


class ReferTo(msgspec.Struct, kw_only=True):
    bridge: Bridge | None = None
    connected_channel: Channel | None = None
    destination_channel: Channel | None = None
    requested_destination: RequiredDestination


class ReferredBy(msgspec.Struct, kw_only=True):
    bridge: Bridge | None = None
    connected_channel: Channel | None = None
    source_channel: Channel


class RequiredDestination(msgspec.Struct, kw_only=True):
    additional_protocol_params: list[AdditionalParam] | None = None
    destination: str | None = None
    protocol_id: str | None = None


class SetId(msgspec.Struct, kw_only=True):
    group: str
    user: str


class Sound(msgspec.Struct, kw_only=True):
    formats: list[FormatLangPair]
    id: str
    text: str | None = None


class StasisEnd(Event, kw_only=True):
    channel: Channel


class StasisStart(Event, kw_only=True):
    args: list[str]
    channel: Channel
    replace_channel: Channel | None = None


class StatusInfo(msgspec.Struct, kw_only=True):
    last_reload_time: str
    startup_time: str


class StoredRecording(msgspec.Struct, kw_only=True):
    format: str
    name: str


class SystemInfo(msgspec.Struct, kw_only=True):
    entity_id: str
    version: str


class TextMessage(msgspec.Struct, kw_only=True):
    body: str
    from_: str = msgspec.field(name="from")
    to: str
    variables: Any | None = None


class TextMessageReceived(Event, kw_only=True):
    endpoint: Endpoint | None = None
    message: TextMessage


class Variable(msgspec.Struct, kw_only=True):
    value: str


class Variables(msgspec.Struct, kw_only=True):
    variables: Any


AnyEvent: TypeAlias = (
    ApplicationMoveFailed
    | ApplicationRegistered
    | ApplicationReplaced
    | ApplicationUnregistered
    | BridgeAttendedTransfer
    | BridgeBlindTransfer
    | BridgeCreated
    | BridgeDestroyed
    | BridgeMerged
    | BridgeVideoSourceChanged
    | CallBroadcast
    | CallClaimed
    | ChannelCallerId
    | ChannelConnectedLine
    | ChannelCreated
    | ChannelDestroyed
    | ChannelDialplan
    | ChannelDtmfReceived
    | ChannelEnteredBridge
    | ChannelHangupRequest
    | ChannelHold
    | ChannelLeftBridge
    | ChannelStateChange
    | ChannelTalkingFinished
    | ChannelTalkingStarted
    | ChannelToneDetected
    | ChannelTransfer
    | ChannelUnhold
    | ChannelUserevent
    | ChannelVarset
    | ContactStatusChange
    | DeviceStateChanged
    | Dial
    | EndpointStateChange
    | MissingParams
    | PeerStatusChange
    | PlaybackContinuing
    | PlaybackFinished
    | PlaybackStarted
    | RecordingFailed
    | RecordingFinished
    | RecordingStarted
    | StasisEnd
    | StasisStart
    | TextMessageReceived
)
