-- Attempts (the live truth), their events (the audit trail), and call-detail records (the immutable result).

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are a record and are only ever added', tg_op, tg_table_name
        using errcode = 'integrity_constraint_violation';
end
$$;

create table attempts (
    id            uuid primary key default gen_random_uuid(),
    campaign_id   bigint not null references campaigns,
    member_id     bigint not null references members,
    contact_id    bigint not null references contacts,
    number_id     bigint not null,
    number        text not null check (number ~ '^\+1[2-9][0-9]{2}[2-9][0-9]{6}$'),
    caller_id     text not null,
    trunk         text not null,
    node          text not null,
    epoch         bigint not null,
    state         text not null default 'reserved' check (state in
        ('reserved', 'dialing', 'ringing', 'waiting', 'joining', 'bridged', 'unclaimed', 'message', 'ended')),
    -- What the gate decided on: its clock, the called party's local time, and the versions of rules and lists.
    gate_at       timestamptz not null,
    local_time    text not null,
    zone          text not null,
    rule_versions text not null,
    list_versions text not null,
    reserved_at   timestamptz not null,
    originated_at timestamptz,
    ringing_at    timestamptz,
    answered_at   timestamptz,
    message_at    timestamptz,
    joined_at     timestamptz,
    ended_at      timestamptz,
    result        text,
    agent_id      bigint references agents,
    -- Number of the last event that changed this row: an older one, written late, changes nothing.
    version       integer not null default 0,
    check ((state = 'ended') = (ended_at is not null)),
    check ((state = 'ended') = (result is not null))
) with (fillfactor = 70);
-- At most one live attempt per number, whoever's list it stands on, and one per contact. The condition names
-- ended_at and not state, so that a change of state moves no index entry.
create unique index one_live_attempt_per_number on attempts (number) where ended_at is null;
create unique index one_live_attempt_per_contact on attempts (contact_id) where ended_at is null;
create index attempts_of_number on attempts (number, gate_at);
create index attempts_of_contact on attempts (contact_id, campaign_id);
create index live_attempts_of_node on attempts (node) where ended_at is null;

create table attempt_events (
    attempt_id uuid not null references attempts,
    number     integer not null check (number >= 1),
    kind       text not null,
    at         timestamptz not null,
    data       jsonb not null default '{}',
    epoch      bigint not null,
    primary key (attempt_id, number)
);
create trigger events_are_final before update or delete or truncate on attempt_events
    for each statement execute function refuse_change();

create table cdrs (
    attempt_id       uuid primary key references attempts,
    member_id        bigint not null,
    member           text not null,
    seller           text not null,
    offer            text,
    campaign_id      bigint not null,
    campaign         text not null,
    contact_id       bigint not null,
    is_outbound      boolean not null default true,
    calling_number   text not null,
    called_number    text not null,
    caller_id_name   text,
    used_prerecorded boolean not null,
    prompt_version   text,
    trunk            text not null,
    node             text not null,
    agent_id         bigint,
    agent            text,
    reserved_at      timestamptz(3) not null,
    originated_at    timestamptz(3),
    ringing_at       timestamptz(3),
    answered_at      timestamptz(3),
    message_at       timestamptz(3),
    joined_at        timestamptz(3),
    ended_at         timestamptz(3) not null,
    -- Durations in milliseconds; null when the call never got there.
    ring_ms          bigint generated always as
        ((extract(epoch from (coalesce(answered_at, ended_at) - ringing_at)) * 1000)::bigint) stored,
    answer_to_agent_ms bigint generated always as
        ((extract(epoch from (joined_at - answered_at)) * 1000)::bigint) stored,
    talk_ms          bigint generated always as
        ((extract(epoch from (ended_at - joined_at)) * 1000)::bigint) stored,
    duration_ms      bigint generated always as
        ((extract(epoch from (ended_at - answered_at)) * 1000)::bigint) stored,
    gate_at          timestamptz(3) not null,
    local_time       text not null,
    zone             text not null,
    rule_versions    text not null,
    list_versions    text not null,
    result           text not null check (result in
        ('bridged', 'abandoned', 'hung_up', 'no_answer', 'busy', 'congestion', 'not_in_service', 'rejected',
         'blocked', 'cancelled', 'failed', 'unknown')),
    cause            integer,
    cause_text       text,
    sip_code         integer,
    ended_by         text not null check (ended_by in ('customer', 'agent', 'engine', 'carrier', 'unknown')),
    epoch            bigint not null
);
create index cdrs_by_time on cdrs (reserved_at, attempt_id);
create index cdrs_of_number on cdrs (called_number, reserved_at);
create trigger cdrs_are_final before update or delete or truncate on cdrs
    for each statement execute function refuse_change();

-- What the call was in business terms. A correction is a further row; the newest one counts.
create table dispositions (
    id         bigint generated always as identity primary key,
    attempt_id uuid not null references attempts,
    code       text not null check (code <> ''),
    label      text not null,
    given_by   text not null check (given_by in ('agent', 'default')),
    at         timestamptz not null
);
create index dispositions_of_attempt on dispositions (attempt_id, id);
-- Written again after a lost reply, a disposition stands once.
create unique index one_disposition_per_moment on dispositions (attempt_id, at, code);
create trigger dispositions_are_final before update or delete or truncate on dispositions
    for each statement execute function refuse_change();

create view cdr_export as
select c.*, d.code as disposition, d.label as disposition_label, d.given_by as disposition_by, d.at as disposition_at
from cdrs c
left join lateral (
    select code, label, given_by, at from dispositions where attempt_id = c.attempt_id order by id desc limit 1
) d on true;
