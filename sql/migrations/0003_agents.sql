-- Agents, their shifts and every change of what they are doing.

create table agents (
    id         bigint generated always as identity primary key,
    member_id  bigint references members,
    name       text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$'),
    password   text not null,
    created_at timestamptz not null default now(),
    removed_at timestamptz
);
create unique index one_agent_per_name on agents (name) where removed_at is null;

create table agent_sessions (
    id         bigint generated always as identity primary key,
    agent_id   bigint not null references agents,
    node       text not null,
    channel    text not null,
    started_at timestamptz not null,
    ended_at   timestamptz,
    end_reason text
);
create unique index one_session_per_agent on agent_sessions (agent_id) where ended_at is null;
create index sessions_by_time on agent_sessions (started_at);

create table agent_states (
    id          bigint generated always as identity primary key,
    session_id  bigint not null references agent_sessions,
    agent_id    bigint not null references agents,
    state       text not null check (state in ('off', 'ready', 'reserved', 'in_call', 'wrap', 'paused')),
    at          timestamptz not null,
    campaign_id bigint references campaigns,
    attempt_id  uuid
);
create index states_by_time on agent_states (at);
-- Written again after a lost reply, a change stands once.
create unique index one_state_per_moment on agent_states (session_id, at, state);
