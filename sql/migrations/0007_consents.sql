-- Consents and their revocations, emergency stops, and every version of the calling rules that was in force.

-- One row per consent or relationship, with the evidence that the law asks for; it never changes. A relationship
-- ends by its age (18 months after a purchase, 3 after an inquiry), any of them by a revocation.
create table consents (
    id          bigint generated always as identity primary key,
    member_id   bigint not null references members,
    number      text not null check (number ~ '^\+1[2-9][0-9]{2}[2-9][0-9]{6}$'),
    kind        text not null check (kind in ('express', 'express_written', 'ebr_purchase', 'ebr_inquiry')),
    since       timestamptz not null,
    source      text not null check (source <> ''),
    purpose     text not null default '',
    -- What the person saw or heard and agreed to, word for word, and where the original is kept.
    text_shown  text not null default '',
    evidence    text not null default '',
    person      text not null default '',
    recorded_at timestamptz not null,
    recorded_by text not null,
    -- A signed consent without the words that were signed proves nothing.
    check (kind <> 'express_written' or text_shown <> '' or evidence <> '')
);
create index consents_of_number on consents (number, member_id);
-- Taken in twice, a consent stands once.
create unique index one_consent_per_moment on consents (member_id, number, kind, since, source);
create trigger consents_are_final before update or delete or truncate on consents
    for each statement execute function refuse_change();

create table consent_revocations (
    consent_id bigint primary key references consents,
    at         timestamptz not null,
    channel    text not null check (channel <> ''),
    who        text not null,
    note       text
);
create trigger revocations_are_final before update or delete or truncate on consent_revocations
    for each statement execute function refuse_change();

-- No calls into a region until the stop is ended. A region is `US`, `CA`, or a state or province such as US-LA.
create table emergency_stops (
    id              bigint generated always as identity primary key,
    region          text not null check (region ~ '^(US|CA)(-[A-Z]{2})?$'),
    reason          text not null check (reason <> ''),
    since           timestamptz not null,
    who             text not null,
    exempts_consent boolean not null default false,
    ended_at        timestamptz,
    ended_by        text,
    end_reason      text,
    check ((ended_at is null) = (ended_by is null) and (ended_at is null) = (end_reason is null))
);
create unique index one_stop_per_region on emergency_stops (region) where ended_at is null;

-- What a version of the rules, as it stands in attempts and call-detail records, said: the text of its files.
create table rule_sets (
    version  text primary key,
    first_at timestamptz not null,
    files    jsonb not null
);
create trigger rule_sets_are_final before update or delete or truncate on rule_sets
    for each statement execute function refuse_change();
