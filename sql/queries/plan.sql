-- name: plan_size
-- Counts the contacts of the lists $2 by what the queue of the campaign $1 says: untried and waiting ones are `open`.
select count(*) filter (where q.state is null or q.state in ('due', 'held')) as open,
       count(*) filter (where q.state = 'live') as live,
       count(*) filter (where q.state = 'done') as done
from contacts c
left join queue q on q.campaign_id = $1 and q.contact_id = c.id
where c.list_id = any($2::bigint[]);

-- name: plan_take
-- Reads the next contacts of the lists $2 to ask the gate about, with their numbers, and locks nothing; every $4th
-- contact is a sample that does not depend on the order of import.
with picked as materialized (
    select c.id, c.list_id, c.regions, c.zones, c.business, q.tries, q.last_result, q.last_attempt_at
    from contacts c
    left join queue q on q.campaign_id = $1 and q.contact_id = c.id
    where c.list_id = any($2::bigint[]) and c.id > $3 and (q.state is null or q.state in ('due', 'held'))
      and ($4::integer = 1 or abs(hashint8(c.id)::bigint) % $4::integer = 0)
    order by c.id
    limit $5
)
select p.id as contact_id, coalesce(p.tries, 0) as tries, p.last_result, p.last_attempt_at, p.list_id,
       p.regions, p.zones, p.business, n.id as number_id, n.number, n.position, true as mine,
       exists (select 1 from person_links l where l.member_id = n.member_id and l.number = n.number) as linked, true as listed
from picked p left join contact_numbers n on n.contact_id = p.id
order by p.id, n.position, n.id;

-- name: plan_pace
-- Tells how many attempts the campaign made since $2, and in how many different hours.
select count(*) as attempts, count(distinct date_trunc('hour', reserved_at)) as hours
from cdrs where campaign_id = $1 and reserved_at >= $2;

-- name: plan_measured_calls
-- Reads the campaign's newest calls since $2, at most $3: how long they dialed, rang and talked, and how they ended.
select c.result, c.answered_at is not null as answered, coalesce(d.person, true) as person,
       (extract(epoch from c.ringing_at - c.originated_at))::float8 as dialed_s,
       (c.ring_ms / 1000.0)::float8 as rang_s,
       (extract(epoch from c.ended_at - c.originated_at))::float8 as lasted_s,
       (c.talk_ms / 1000.0)::float8 as talked_s,
       (extract(epoch from c.answered_at - c.originated_at))::float8 as answered_s,
       substr(c.called_number, 3, 3) as npa, coalesce(k.list_id, 0) as list_id,
       exists (select from attempts a
               where a.contact_id = c.contact_id and a.campaign_id = c.campaign_id and a.reserved_at < c.reserved_at
                     and a.result is distinct from 'trunk_fault'
                     and not (a.result is not distinct from 'cancelled' and a.originated_at is null)) as again
from cdrs c
left join contacts k on k.id = c.contact_id
left join lateral (
    select person from dispositions where attempt_id = c.attempt_id order by id desc limit 1
) d on true
where c.campaign_id = $1 and c.reserved_at >= $2 and c.originated_at is not null
order by c.reserved_at desc
limit $3;

-- name: plan_measured_wraps
-- Reads the seconds of the campaign's newest wrap-ups since $2, at most $3; agents who left in one are left out. A state
-- stands again where a pause was asked for in it.
select seconds from (
    select s.state, s.at, s.campaign_id,
           (extract(epoch from lead(s.at) over w - s.at))::float8 as seconds, lead(s.state) over w as next
    from (
        select session_id, id, at, state, campaign_id, lag(state) over (partition by session_id order by at, id) as before
        from agent_states
        where at >= $2
    ) s
    where s.before is distinct from s.state
    window w as (partition by s.session_id order by s.at, s.id)
) x
where state = 'wrap' and campaign_id = $1 and next is not null and next <> 'off'
order by at desc
limit $3;

-- name: plan_measured_looks
-- Reads how many seconds agents looked at the campaign's newest contacts on show since $2, at most $3, and whether they
-- called; contacts that ran out or were taken away are left out.
select (extract(epoch from ended_at - shown_at))::float8 as seconds, outcome = 'dialed' as dialed
from previews
where campaign_id = $1 and shown_at >= $2 and outcome in ('dialed', 'refused', 'skipped') and ended_at >= shown_at
order by shown_at desc
limit $3;
