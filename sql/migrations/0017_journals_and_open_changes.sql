-- A journal that becomes known while a change is under way gets that change too.
--
-- Whoever changes something holds the lock 7204607 shared until its commit; whoever makes a journal known takes it
-- alone before, so that each change is either seen by the filling or sees the journal. The lock is a statement of its
-- own: the next one sees what was committed before it was given.

create or replace function fill_suppression_outbox() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7204607);
    insert into suppression_outbox (journal_id, log_id)
    select j.id, n.id from suppression_journals j cross join added n;
    return null;
end
$$;

create or replace function fill_revocation_outbox() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7204607);
    insert into revocation_outbox (journal_id, consent_id)
    select j.id, n.consent_id from suppression_journals j cross join added n;
    return null;
end
$$;
