-- Registries and other outside lists, as bits: one row per area code and exchange holds up to 10,000 numbers.
--
-- Large lists alternate between two sides of the same table, so that a new version is built beside the old one,
-- takes over by one update, and the old side is emptied without leaving dead rows behind.

create table registry_lists (
    id      bigint generated always as identity primary key,
    name    text not null unique
            check (name ~ '^(us_national|ca_dncl|us_state:[A-Z]{2}|wireless|(ported|litigator):[a-z0-9_]{1,40})$'),
    by_area boolean not null,
    side    smallint not null default 0 check (side between 0 and 2),
    load_id bigint
);

-- What was loaded, from which files, by whom: kept as evidence, never changed.
create table registry_loads (
    id        bigint generated always as identity primary key,
    list_id   bigint not null references registry_lists,
    kind      text not null check (kind in ('full', 'partial', 'change')),
    account   text,
    as_of     timestamptz not null,
    loaded_at timestamptz not null,
    loaded_by text not null,
    files     jsonb not null,
    numbers   bigint not null check (numbers >= 0),
    added     bigint,
    removed   bigint
);
create index registry_loads_of_list on registry_loads (list_id, id);
create trigger registry_loads_are_final before update or delete or truncate on registry_loads
    for each statement execute function refuse_change();
alter table registry_lists add foreign key (load_id) references registry_loads;

-- Per area code: which load its numbers come from, how old they are, how many they are.
create table registry_areas (
    list_id bigint not null references registry_lists,
    npa     smallint not null check (npa between 200 and 999),
    load_id bigint not null references registry_loads,
    as_of   timestamptz not null,
    numbers bigint not null check (numbers >= 0),
    primary key (list_id, npa)
);

-- One form per row, whichever is smallest: a bit per number, the numbers themselves, or a bit per thousand.
create table registry_blocks (
    side      smallint not null,
    npa       smallint not null,
    exchange  smallint not null check (exchange between 0 and 999),
    list_id   bigint not null,
    bits      bytea check (length(bits) = 1250),
    lines     smallint[],
    thousands smallint check (thousands between 1 and 1023),
    primary key (npa, exchange, list_id, side),
    check (num_nonnulls(bits, lines, thousands) = 1)
) partition by list (side);
create table registry_blocks_0 partition of registry_blocks for values in (0);
create table registry_blocks_1 partition of registry_blocks for values in (1);
create table registry_blocks_2 partition of registry_blocks for values in (2);
-- A row is just under a sixth of a page.
alter table registry_blocks_1 set (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05);
alter table registry_blocks_2 set (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05);

create function registry_has(bits bytea, lines smallint[], thousands smallint, line integer) returns boolean
language sql immutable parallel safe
return case when bits is not null then get_bit(bits, line::bigint) = 1
            when lines is not null then line::smallint = any (lines)
            else (thousands >> (line / 1000)) & 1 = 1 end;

-- Who may use a list: a seller needs its own subscription. Without a Member it covers all, without area codes all.
create table registry_subscriptions (
    id         bigint generated always as identity primary key,
    list_id    bigint not null references registry_lists,
    member_id  bigint references members,
    account    text not null check (account <> ''),
    area_codes smallint[],
    since      timestamptz not null,
    made_by    text not null,
    ended_at   timestamptz
);
create index registry_subscriptions_of_list on registry_subscriptions (list_id) where ended_at is null;
create unique index one_subscription on registry_subscriptions (list_id, account, coalesce(member_id, 0))
    where ended_at is null;

-- Why a list that the law's table asks for is not needed, in somebody's words.
create table registry_waivers (
    id        bigint generated always as identity primary key,
    list_id   bigint not null references registry_lists,
    member_id bigint references members,
    reason    text not null check (length(reason) >= 10),
    since     timestamptz not null,
    made_by   text not null,
    ended_at  timestamptz
);
create index registry_waivers_of_list on registry_waivers (list_id) where ended_at is null;

-- Answers of the reassigned-numbers database: given up since that date?
create table registry_reassigned (
    number      text not null check (number ~ '^\+1[2-9][0-9]{2}[2-9][0-9]{6}$'),
    asked_since date not null,
    answer      text not null check (answer in ('yes', 'no', 'no_data')),
    answered_at timestamptz not null,
    file        text not null,
    taken_at    timestamptz not null,
    primary key (number, answered_at, asked_since)
);
