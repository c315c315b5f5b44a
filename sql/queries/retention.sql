-- name: retention_first_calls
-- Remembers the day of each campaign's first call before its record leaves: the periods of the ledger begin there.
update campaigns c
set first_call_on = (select (min(r.reserved_at) at time zone 'UTC')::date from cdrs r where r.campaign_id = c.id)
where c.first_call_on is null and exists (select 1 from cdrs r where r.campaign_id = c.id);

-- name: retention_records_due
-- Counts the call-detail records that ended before $1.
select count(*) from cdrs where ended_at < $1;

-- name: retention_records
-- Deletes up to $2 ended attempts from before $1 with their events, dispositions and call-detail records.
with old as materialized (
    select attempt_id as id from cdrs where ended_at < $1 order by ended_at limit $2
), events as (
    delete from attempt_events where attempt_id in (select id from old) returning 1
), said as (
    delete from dispositions where attempt_id in (select id from old) returning 1
), records as (
    delete from cdrs where attempt_id in (select id from old) returning attempt_id
), attempts_gone as (
    delete from attempts where id in (select id from old) returning 1
)
select count(*) from records;

-- name: retention_audit_due
-- Counts the lines of the audit log from before $1.
select count(*) from audit where at < $1;

-- name: retention_audit
-- Deletes up to $2 lines of the audit log from before $1.
with old as (
    select id from audit where at < $1 order by at limit $2
), gone as (
    delete from audit where id in (select id from old) returning 1
)
select count(*) from gone;

-- name: retention_leads_due
-- Counts the contacts imported before $1 who were never called and have no number, of their own or of the same person's
-- (only where links are), that an entry forbids: without them it would not cover the person's other numbers any more.
-- Persons are looked for last, it costs the most.
with uncalled as materialized (
    select c.id, c.member_id from contacts c
    join imports i on i.id = c.import_id
    where i.imported_at < $1 and not exists (select 1 from attempts a where a.contact_id = c.id)
      and not exists (
          select 1 from contact_numbers n
          join suppressions s on s.number = n.number and (s.member_id is null or s.member_id = c.member_id)
          where n.contact_id = c.id)
)
select count(*) from uncalled c
where not exists (
        select 1 from contact_numbers n
        join person_links l on l.member_id = n.member_id and l.number = n.number
        where n.contact_id = c.id)
   or not exists (
        select 1
        from persons_numbers(array(select number from contact_numbers where contact_id = c.id), c.member_id) p
        join suppressions s on s.number = p.number and (s.member_id is null or s.member_id = c.member_id));

-- name: retention_leads
-- Looks at the next $2 contacts beyond $3 who could be such, and deletes those who are, with their numbers and places in
-- queues; `last` is the last one looked at, null when there was none.
with uncalled as materialized (
    select c.id, c.member_id from contacts c
    join imports i on i.id = c.import_id
    where c.id > $3 and i.imported_at < $1 and not exists (select 1 from attempts a where a.contact_id = c.id)
      and not exists (
          select 1 from contact_numbers n
          join suppressions s on s.number = n.number and (s.member_id is null or s.member_id = c.member_id)
          where n.contact_id = c.id)
    order by c.id limit $2
    for update of c skip locked
), old as (
    select c.id from uncalled c
    where not exists (
            select 1 from contact_numbers n
            join person_links l on l.member_id = n.member_id and l.number = n.number
            where n.contact_id = c.id)
       or not exists (
            select 1
            from persons_numbers(array(select number from contact_numbers where contact_id = c.id), c.member_id) p
            join suppressions s on s.number = p.number and (s.member_id is null or s.member_id = c.member_id))
), gone as (
    delete from contacts where id in (select id from old) returning 1
)
select (select count(*) from gone) as deleted, (select max(id) from uncalled) as last;

-- name: retention_links_due
-- Counts numbers of rows imported before $1 that bind no contacts together any more, and no number of whose person an
-- entry forbids.
select count(*) from person_links l
join imports i on i.id = l.import_id
where i.imported_at < $1 and not row_binds(l.import_id, l.row_number)
  and not exists (
      select 1 from persons_numbers(array[l.number], l.member_id) p
      join suppressions s on s.number = p.number and (s.member_id is null or s.member_id = l.member_id));

-- name: retention_links
-- Deletes up to $2 such numbers of rows.
with old as (
    select l.member_id, l.number, l.import_id, l.row_number from person_links l
    join imports i on i.id = l.import_id
    where i.imported_at < $1 and not row_binds(l.import_id, l.row_number)
      and not exists (
          select 1 from persons_numbers(array[l.number], l.member_id) p
          join suppressions s on s.number = p.number and (s.member_id is null or s.member_id = l.member_id))
    limit $2
), gone as (
    delete from person_links l using old o
    where (l.member_id, l.number, l.import_id, l.row_number) = (o.member_id, o.number, o.import_id, o.row_number)
    returning 1
)
select count(*) from gone;

-- name: retention_previews_due
-- Counts the previews that ended before $1.
select count(*) from previews where ended_at < $1;

-- name: retention_previews
-- Deletes up to $2 previews that ended before $1.
with old as (
    select id from previews where ended_at < $1 limit $2
), gone as (
    delete from previews where id in (select id from old) returning 1
)
select count(*) from gone;

-- name: retention_pacing_due
-- Counts the minutes of pacing from before $1.
select count(*) from pacing_minutes where minute < $1;

-- name: retention_pacing
-- Deletes up to $2 minutes of pacing from before $1.
with old as (
    select campaign_id, minute, epoch from pacing_minutes where minute < $1 order by minute limit $2
), gone as (
    delete from pacing_minutes p using old o
    where (p.campaign_id, p.minute, p.epoch) = (o.campaign_id, o.minute, o.epoch) returning 1
)
select count(*) from gone;

-- name: retention_writers_due
-- Counts the writers that have written nothing since $1.
select count(*) from writers where at < $1;

-- name: retention_writers
-- Deletes up to $2 writers that have written nothing since $1.
with old as (
    select id from writers where at < $1 limit $2 for update skip locked
), gone as (
    delete from writers where id in (select id from old) returning 1
)
select count(*) from gone;
