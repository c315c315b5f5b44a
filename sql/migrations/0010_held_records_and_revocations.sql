-- What engines hold on disk while the database is away, and the journal of revoked consents outside the database.

-- How far each writer's records stand in the database, in the transaction of the records themselves: records that
-- come again after a lost reply or from a journal are told by their number.
create table writers (
    id      uuid primary key,
    written bigint not null check (written >= 0),
    at      timestamptz not null
);

-- What each journal has not written yet.
create table revocation_outbox (
    journal_id uuid not null references suppression_journals on delete cascade,
    consent_id bigint not null,
    primary key (journal_id, consent_id)
);
create function fill_revocation_outbox() returns trigger language plpgsql as $$
begin
    insert into revocation_outbox (journal_id, consent_id)
    select j.id, n.consent_id from suppression_journals j cross join added n;
    return null;
end
$$;
create trigger revocations_to_journals after insert on consent_revocations
    referencing new table as added for each statement execute function fill_revocation_outbox();
insert into revocation_outbox (journal_id, consent_id)
select j.id, r.consent_id from suppression_journals j cross join consent_revocations r;
