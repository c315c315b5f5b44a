-- Contacts on show for agents (mode preview): a hold that ends by itself, and the record of what became of it.

create table previews (
    id          uuid primary key default gen_random_uuid(),
    campaign_id bigint not null references campaigns on delete cascade,
    member_id   bigint not null references members,
    contact_id  bigint not null references contacts on delete cascade,
    -- The number that the agent sees and may dial.
    number      text not null check (number ~ '^\+1[2-9][0-9]{2}[2-9][0-9]{6}$'),
    agent_id    bigint not null references agents,
    node        text not null,
    epoch       bigint not null,
    shown_at    timestamptz not null,
    -- The database's clock, so that all engines agree: past it nobody needs to ask whether the engine still lives.
    expires_at  timestamptz not null,
    ended_at    timestamptz,
    outcome     text check (outcome in ('dialed', 'refused', 'skipped', 'expired', 'withdrawn')),
    reason      text,
    attempt_id  uuid references attempts on delete set null,
    check ((ended_at is null) = (outcome is null))
);
-- Nobody sees a contact that is on show for somebody else, whoever's list and campaign it is in.
create unique index one_preview_per_number on previews (number) where ended_at is null;
create unique index one_preview_per_contact on previews (contact_id) where ended_at is null;
create index previews_of_contact on previews (contact_id, shown_at);
create index previews_of_attempt on previews (attempt_id) where attempt_id is not null;

grant update (ended_at, outcome, reason, attempt_id) on previews to dialer_engine;
select fence('previews', 'member_id = (select dialer_member())');
grant select on previews to dialer_member;
