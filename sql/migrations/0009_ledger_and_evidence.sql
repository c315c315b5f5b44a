-- The abandonment ledger, complete call-detail records, evidence, retention, and the journal of suppressions.

-- --- what the abandonment ledger needs ------------------------------------------------------------------------

-- false: the agent found no person (an answering machine, a fax), so the call was not answered live.
alter table dispositions add column person boolean not null default true;

-- The day of the first call begins the first period of 30 days; remembered, because old records are purged.
alter table campaigns
    add column first_call_on date,
    add column telemarketer text,
    add column script_version text,
    add column caller_id_proof text;

create index cdrs_of_campaign on cdrs (campaign_id, reserved_at);

-- Each attempt judged by its times, never by its label; the same rules as core/ledger.py.
create view ledger_calls as
select c.attempt_id, c.campaign_id, c.member_id, c.called_number, c.reserved_at,
       (coalesce(c.answered_at, c.originated_at, c.reserved_at) at time zone 'UTC')::date as day,
       case
           when c.answered_at is null then
               case when c.result = 'unknown' and c.originated_at is not null then 'abandoned' else 'unanswered' end
           when c.joined_at - c.answered_at <= interval '2 seconds' then
               case when d.person then 'connected' else 'doubtful' end
           when c.joined_at is not null then 'abandoned'
           when c.message_at is null and c.ended_at - c.answered_at < interval '2 seconds'
                and c.ended_by <> 'engine' and c.result <> 'unknown' then 'short'
           else 'abandoned'
       end as standing,
       c.message_at - c.answered_at <= interval '2 seconds' as message_in_time,
       c.answered_at is null and c.ended_by = 'engine' and c.ended_at - c.ringing_at < interval '15 seconds'
           and not (c.result = 'unknown' and c.originated_at is not null) as rung_short
from cdrs c
left join lateral (
    select person from dispositions where attempt_id = c.attempt_id order by id desc limit 1
) d on true;

-- --- call-detail records (16 CFR 310.5(a)(2)) ----------------------------------------------------------------

alter table contacts add column if not exists business boolean not null default false;

alter table cdrs
    add column telemarketer text,
    add column called_party text not null default 'consumer' check (called_party in ('consumer', 'business')),
    add column script_version text,
    add column caller_id_proof text,
    add column transfer_to_number text,
    add column transfer_to_party text;

drop view cdr_export;
create view cdr_export as
select c.*, d.code as disposition, d.label as disposition_label, d.given_by as disposition_by,
       d.at as disposition_at, d.person as live_person
from cdrs c
left join lateral (
    select code, label, given_by, at, person from dispositions where attempt_id = c.attempt_id
    order by id desc limit 1
) d on true;

-- Every recording and script that was ever in use, by the version that stands in the call-detail records.
create table prompts (
    version   text primary key check (version <> ''),
    kind      text not null check (kind in ('drop_message', 'script')),
    content   text not null,
    file_name text,
    first_at  timestamptz not null
);

-- --- evidence ------------------------------------------------------------------------------------------------

-- Every pack that was written, each with the head of its hash chain and that of the pack before it.
create table evidence_packs (
    id       bigint generated always as identity primary key,
    made_at  timestamptz not null,
    made_by  text not null,
    asked    jsonb not null,
    records  bigint not null,
    head     text not null,
    previous text not null
);
create trigger evidence_packs_are_final before update or delete or truncate on evidence_packs
    for each statement execute function refuse_change();

-- --- retention -----------------------------------------------------------------------------------------------

-- Records may leave only when they are older than the law's five years, whoever asks: the floor stands here.
-- The trigger's argument names the column with the record's time.
create function keep_five_years() returns trigger language plpgsql as $$
declare
    at timestamptz;
begin
    execute format('select ($1).%I', tg_argv[0]) using old into at;
    if at is null or at > now() - interval '5 years' then
        raise exception 'DELETE of % is refused: records are kept for five years', tg_table_name
            using errcode = 'integrity_constraint_violation';
    end if;
    return old;
end
$$;

drop trigger cdrs_are_final on cdrs;
create trigger cdrs_are_final before update or truncate on cdrs
    for each statement execute function refuse_change();
create trigger cdrs_are_kept before delete on cdrs for each row execute function keep_five_years('ended_at');

drop trigger events_are_final on attempt_events;
create trigger events_are_final before update or truncate on attempt_events
    for each statement execute function refuse_change();
create trigger events_are_kept before delete on attempt_events for each row execute function keep_five_years('at');

drop trigger dispositions_are_final on dispositions;
create trigger dispositions_are_final before update or truncate on dispositions
    for each statement execute function refuse_change();
create trigger dispositions_are_kept before delete on dispositions
    for each row execute function keep_five_years('at');

drop trigger audit_is_final on audit;
create trigger audit_is_final before update or truncate on audit
    for each statement execute function refuse_change();
create trigger audit_is_kept before delete on audit for each row execute function keep_five_years('at');

create trigger attempts_are_kept before delete on attempts for each row execute function keep_five_years('ended_at');

-- --- the journal of suppressions outside the database ---------------------------------------------------------

-- Names a change in every copy of the database and in the journals, where ids may differ after a restore.
alter table suppression_log add column token uuid not null default gen_random_uuid();
create unique index suppression_log_token on suppression_log (token);

create table suppression_journals (
    id      uuid primary key,
    place   text not null,
    seen_at timestamptz not null
);
-- What each journal has not written yet.
create table suppression_outbox (
    journal_id uuid not null references suppression_journals on delete cascade,
    log_id     bigint not null,
    primary key (journal_id, log_id)
);
create function fill_suppression_outbox() returns trigger language plpgsql as $$
begin
    insert into suppression_outbox (journal_id, log_id)
    select j.id, n.id from suppression_journals j cross join added n;
    return null;
end
$$;
create trigger suppression_log_to_journals after insert on suppression_log
    referencing new table as added for each statement execute function fill_suppression_outbox();
