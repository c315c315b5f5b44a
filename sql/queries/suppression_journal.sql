-- name: journal_known
-- Tells whether a journal is known.
select exists (select from suppression_journals where id = $1);

-- name: journal_turn
-- Waits until the changes under way are committed and keeps new ones out until this transaction ends.
select pg_advisory_xact_lock(7204607);

-- name: journal_register
-- Makes a journal known, so that every change from now on is kept for it; returns whether it is new here.
insert into suppression_journals as j (id, place, seen_at) values ($1, $2, $3)
on conflict (id) do update set place = excluded.place, seen_at = excluded.seen_at
returning xmax = 0;

-- name: journal_forget_unseen
-- Forgets journals that nobody wrote for a long time: what waits for them would grow for ever.
delete from suppression_journals where seen_at < $1;

-- name: journal_fill
-- Lets a journal that is new here take in everything that was ever logged.
insert into suppression_outbox (journal_id, log_id) select $1, id from suppression_log on conflict do nothing;

-- name: journal_take
-- Takes the oldest changes that the journal has not written; they are gone from here when this commits.
with taken as (
    delete from suppression_outbox
    where (journal_id, log_id) in (
        select journal_id, log_id from suppression_outbox
        where journal_id = $1 order by log_id limit $2 for update skip locked)
    returning log_id
)
select l.token::text as token, l.action, l.number, m.key as member, l.source, l.at, l.who, l.note
from taken t join suppression_log l on l.id = t.log_id left join members m on m.id = l.member_id
order by l.id;

-- name: journal_missing
-- Tells which of these changes the database does not know: it was restored to a moment before them.
select t.token::text as token from unnest($1::uuid[]) as t(token)
where not exists (select 1 from suppression_log l where l.token = t.token);

-- name: journal_apply
-- Applies changes again that a restored database lost, in their order. An entry of a Member who is not there
-- forbids the number to everybody; taking such an entry away has no effect. An entry that is newer than its removal stays.
-- Returns the numbers that were taken off a list.
with given as (
    select e.token, e.action, e.number, m.id as member_id, e.member is not null and m.id is null as orphan,
           e.source, e.at, e.who, e.note, e.place
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
        with ordinality as e(token, action, number, member, source, at, who, note, place)
    left join members m on m.key = e.member
), logged as (
    insert into suppression_log (action, number, member_id, source, at, who, note, token)
    select action, number, member_id, source, at, who,
           case when orphan then concat_ws('; ', note, 'its Member is not in this database') else note end, token
    from given order by place
    on conflict do nothing
    returning id
), last as (
    select distinct on (number, coalesce(member_id, 0), source) *
    from given where not (orphan and action = 'remove')
    order by number, coalesce(member_id, 0), source, place desc
), added as (
    insert into suppressions (number, member_id, source, since, note)
    select number, member_id, source, at, note from last where action = 'add' order by number
    on conflict do nothing
), removed as (
    delete from suppressions s using last l
    where l.action = 'remove' and s.number = l.number and s.member_id is not distinct from l.member_id
      and s.source = l.source and s.since <= l.at
    returning s.number
)
select array(select distinct number from removed);

-- name: journal_skip
-- Drops from the outbox what stands in the journal already.
delete from suppression_outbox o using suppression_log l
where o.journal_id = $1 and l.id = o.log_id and l.token = any($2::uuid[]);

-- name: journal_fill_revocations
-- Lets a journal that is new here take in every revocation of a consent.
insert into revocation_outbox (journal_id, consent_id)
select $1, consent_id from consent_revocations on conflict do nothing;

-- name: journal_take_revocations
-- Takes revocations that the journal has not written; they are gone from here when this commits. A consent is
-- named by what it is, because ids differ between copies of the database.
with taken as (
    delete from revocation_outbox
    where (journal_id, consent_id) in (
        select journal_id, consent_id from revocation_outbox
        where journal_id = $1 order by consent_id limit $2 for update skip locked)
    returning consent_id
)
select m.key as member, c.number, c.kind, c.since, c.source, r.at, r.channel, r.who, r.note
from taken t
join consents c on c.id = t.consent_id
join consent_revocations r on r.consent_id = t.consent_id
join members m on m.id = c.member_id
order by r.at, c.id;

-- name: journal_revoke
-- Revokes consents again whose revocation a restored database lost, and tells how many those were.
with given as (
    select distinct on (c.id) c.id, e.at, e.channel, e.who, e.note
    from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
                $8::text[], $9::text[]) as e(member, number, kind, since, source, at, channel, who, note)
    join members m on m.key = e.member
    join consents c on c.member_id = m.id and c.number = e.number and c.kind = e.kind and c.since = e.since
        and c.source = e.source
    order by c.id, e.at
), revoked as (
    insert into consent_revocations (consent_id, at, channel, who, note)
    select id, at, channel, who, note from given
    on conflict do nothing
    returning consent_id
)
select count(*) from revoked;

-- name: journal_skip_revocations
-- Drops revocations from the outbox that stand in the journal already.
delete from revocation_outbox o
using unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
          as e(member, number, kind, since, source),
      members m, consents c
where o.journal_id = $1 and m.key = e.member and c.member_id = m.id and c.number = e.number and c.kind = e.kind
  and c.since = e.since and c.source = e.source and o.consent_id = c.id;
