-- Numbers that must not be called. A null Member means: nobody on this system may call it.

create table suppressions (
    id        bigint generated always as identity primary key,
    number    text not null check (number ~ '^\+1[2-9][0-9]{2}[2-9][0-9]{6}$'),
    member_id bigint references members,
    source    text not null check (source <> ''),
    since     timestamptz not null,
    note      text
);
-- One row per number, scope and source: taking one source away leaves an opt-out by another in force.
create unique index one_suppression_per_source on suppressions (number, coalesce(member_id, 0), source);

create table suppression_log (
    id        bigint generated always as identity primary key,
    action    text not null check (action in ('add', 'remove')),
    number    text not null,
    member_id bigint references members,
    source    text not null,
    at        timestamptz not null,
    who       text not null,
    note      text
);
create index suppression_log_of_number on suppression_log (number, id);
create trigger suppression_log_is_final before update or delete or truncate on suppression_log
    for each statement execute function refuse_change();

-- Opt-outs taken in from the journal of the Asterisk-side script: taking one in twice changes nothing.
create table opt_outs (
    attempt_id text primary key,
    number     text not null,
    member_id  bigint references members,
    at         timestamptz not null,
    key        text not null,
    source     text not null,
    taken_at   timestamptz not null
);
create trigger opt_outs_are_final before update or delete or truncate on opt_outs
    for each statement execute function refuse_change();
