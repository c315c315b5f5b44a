-- name: suppression_turn
-- Waits until the reservations under way are committed and keeps new ones out until this transaction ends.
select pg_advisory_xact_lock(7204602);

-- name: suppressions_add
-- Adds numbers to a do-not-call list and to its log; numbers that stand there already are left out.
with added as (
    insert into suppressions (number, member_id, source, since, note)
    select n, $2, $3, $4, $6 from unnest($1::text[]) as n order by n
    on conflict do nothing
    returning number
), logged as (
    insert into suppression_log (action, number, member_id, source, at, who, note)
    select 'add', number, $2, $3, $4, $5, $6 from added
)
select number from added;

-- name: suppressions_remove
-- Takes numbers off the lists of one scope, of every source, and writes the log.
with removed as (
    delete from suppressions
    where number = any($1::text[]) and member_id is not distinct from $2::bigint
    returning number, source
), logged as (
    insert into suppression_log (action, number, member_id, source, at, who, note)
    select 'remove', number, $2, source, $3, $4, $5 from removed
)
select distinct number from removed;

-- name: suppressions_of_number
-- Lists every do-not-call entry of a number.
select s.number, m.key as member, s.source, s.since, s.note
from suppressions s left join members m on m.id = s.member_id
where s.number = $1 order by s.since;

-- name: suppression_history
-- Lists what was done with a number on the do-not-call lists, newest first.
select l.action, m.key as member, l.source, l.at, l.who, l.note
from suppression_log l left join members m on m.id = l.member_id
where l.number = $1 order by l.id desc;

-- name: suppressed_live
-- Lists the live attempts that an entry now forbids: they are to be cancelled.
select a.id, a.number from attempts a
where a.ended_at is null and ($2::bigint is null or a.member_id = $2)
  and (a.number = any($1::text[])
       or a.contact_id in (select n.contact_id
                           from persons_numbers($1::text[], $2::bigint) p
                           join contact_numbers n on n.member_id = p.member_id and n.number = p.number));

-- name: suppressions_standing
-- Lists those of the numbers, each with one Member or (null) with everybody, that an entry forbids.
select distinct f.number, f.member_id
from unnest($1::text[], $2::bigint[]) as f(number, member_id)
join suppressions s on s.number = f.number and (s.member_id is null or s.member_id = f.member_id);

-- name: opt_outs_add
-- Takes opt-outs in; `new` are those not taken in before. An attempt that stands here tells number and Member; of one
-- that does not, what was given with it counts, and `orphan` tells that this Member is not here.
with given as (
    select o.attempt_id, coalesce(a.number, o.number) as number,
           case when a.id is null then m.id else a.member_id end as member_id,
           a.id is null and m.id is null and o.member <> '' as orphan, o.at, o.key, o.source, o.who
    from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
        as o(attempt_id, number, member, at, key, source, who)
    left join attempts a
        on a.id = case when o.attempt_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then o.attempt_id::uuid end
    left join members m on m.id::text = o.member
        or (m.key = o.member and not exists (select 1 from members x where x.id::text = o.member))
), taken as (
    insert into opt_outs (attempt_id, number, member_id, at, key, source, taken_at)
    select attempt_id, number, member_id, at, key, source, now()
    from given where number is not null order by attempt_id
    on conflict do nothing
    returning attempt_id
)
select g.attempt_id, g.number, g.member_id, g.orphan, g.at, g.source, g.who,
       exists (select 1 from taken t where t.attempt_id = g.attempt_id) as new
from given g where g.number is not null;

-- name: live_suppressed
-- Lists the numbers that a Member calls, or has on show for an agent, although an entry forbids it now.
select distinct a.number, a.member_id
from (select number, contact_id, member_id from attempts where ended_at is null
      union all
      select number, contact_id, member_id from previews where ended_at is null) a
where exists (select 1 from contact_numbers n
              join suppressions s on s.number = n.number and (s.member_id is null or s.member_id = a.member_id)
              where n.contact_id = a.contact_id
              union all
              select 1 from suppressions s
              where s.number = a.number and (s.member_id is null or s.member_id = a.member_id))
   or exists (select 1 from contact_numbers n
              join person_links l on l.member_id = n.member_id and l.number = n.number
              cross join lateral persons_numbers(array[n.number], n.member_id) p
              join suppressions s on s.number = p.number and (s.member_id is null or s.member_id = a.member_id)
              where n.contact_id = a.contact_id);
