-- Campaigns as the engine knows them (their settings live in YAML), and each campaign's queue of contacts.

create table campaigns (
    id         bigint generated always as identity primary key,
    member_id  bigint not null references members,
    name       text not null unique check (name <> ''),
    seller     text not null,
    offer      text,
    state      text not null default 'draft' check (state in ('draft', 'running', 'paused', 'stopped')),
    -- Highest epoch of an engine that reserved for this campaign: lower ones are refused from then on.
    epoch      bigint not null default 0,
    state_at   timestamptz,
    created_at timestamptz not null default now()
);

-- A list of ten million contacts costs nothing when a campaign starts: the queue is filled from it piece by
-- piece, and `cursor_id` is the last contact that was moved.
create table campaign_lists (
    campaign_id bigint not null references campaigns on delete cascade,
    list_id     bigint not null references lists,
    position    smallint not null,
    active      boolean not null default true,
    cursor_id   bigint not null default 0,
    primary key (campaign_id, list_id)
);

-- due: may be tried from next_at on; live: an attempt is under way; held: a rule forbids it until something
-- changes; done: finished in this campaign.
create table queue (
    campaign_id     bigint not null references campaigns on delete cascade,
    contact_id      bigint not null references contacts on delete cascade,
    list_id         bigint not null references lists,
    state           text not null default 'due' check (state in ('due', 'live', 'held', 'done')),
    next_at         timestamptz,
    tries           integer not null default 0 check (tries >= 0),
    last_result     text,
    last_attempt_at timestamptz,
    held_rule       text,
    held_reason     text,
    final           boolean not null default false,
    primary key (campaign_id, contact_id),
    check ((state = 'due') = (next_at is not null)),
    check (state <> 'held' or held_rule is not null),
    check (not final or state in ('live', 'done'))
) with (fillfactor = 80);
-- The only index a reservation reads: rows that are held, live or done are not in it.
create index queue_due on queue (campaign_id, next_at, contact_id) where next_at is not null;
create index queue_held on queue (campaign_id, held_rule) where held_rule is not null;
create index queue_done on queue (campaign_id) where state = 'done';
create index queue_of_contact on queue (contact_id);

-- How often each caller ID was used on a day (UTC), so that the least used one goes next.
create table caller_id_use (
    campaign_id bigint not null references campaigns on delete cascade,
    caller_id   text not null,
    day         date not null,
    used        bigint not null,
    primary key (campaign_id, day, caller_id)
);
