-- Who owns what right now, and who changed what.

create table leases (
    name         text primary key,
    owner        text not null,
    epoch        bigint not null check (epoch >= 1),
    expires_at   timestamptz not null,
    heartbeat_at timestamptz not null
);

create table audit (
    id     bigint generated always as identity primary key,
    at     timestamptz not null,
    who    text not null,
    action text not null,
    object text not null,
    detail jsonb not null default '{}'
);
create index audit_by_time on audit (at);
create trigger audit_is_final before update or delete or truncate on audit
    for each statement execute function refuse_change();
