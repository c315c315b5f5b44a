-- name: previews_clear
-- Ends holds that ran out, and those of a campaign's earlier engines, whose contacts are due again at once.
with over as (
    select id from previews
    where ended_at is null and (expires_at <= now() or campaign_id = $1 and epoch < $2)
    for update skip locked
), ended as (
    update previews p
    set ended_at = now(), outcome = case when p.expires_at <= now() then 'expired' else 'withdrawn' end,
        reason = 'the engine that showed it is gone'
    from over where p.id = over.id
    returning p.campaign_id, p.contact_id
)
update queue q set next_at = '-infinity', held_rule = null, held_reason = null
from ended e
where q.campaign_id = e.campaign_id and q.contact_id = e.contact_id and q.state = 'due' and q.held_rule = 'preview';

-- name: preview_hold
-- Holds a contact for an agent, until a moment of the database's clock and (in the queue) of the gate's; nothing comes
-- back when it is on show for somebody else.
with held as (
    insert into previews (campaign_id, member_id, contact_id, number, agent_id, node, epoch, shown_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9::interval)
    on conflict do nothing
    returning id, campaign_id, contact_id
), set_aside as (
    update queue q set next_at = $10, held_rule = 'preview', held_reason = 'on show for agent ' || $11::text
    from held h
    where q.campaign_id = h.campaign_id and q.contact_id = h.contact_id
)
select id from held;

-- name: card_contact
-- Reads what an agent sees of a contact.
select c.first_name, c.last_name, c.company, c.email, c.street, c.city, c.state, c.postal_code, c.country,
       c.external_id, c.extra, l.name as list, m.name as member, n.numbers
from contacts c
join lists l on l.id = c.list_id
join members m on m.id = c.member_id
cross join lateral (select array_agg(number order by position, id) as numbers
                    from contact_numbers where contact_id = c.id) n
where c.id = $1;

-- name: card_attempt
-- Tells whom an attempt calls, where it is for them, and on which number.
select contact_id, number, zone from attempts where id = $1;

-- name: card_history
-- Lists what was tried with a contact, the newest first: attempts but one with their dispositions, and skipped previews.
select * from (
    select a.reserved_at as at, c.name as campaign, a.number, a.result, g.name as agent, d.label as disposition,
           null as note
    from attempts a
    join campaigns c on c.id = a.campaign_id
    left join agents g on g.id = a.agent_id
    left join lateral (select label from dispositions where attempt_id = a.id order by id desc limit 1) d on true
    where a.contact_id = $1 and a.id is distinct from $3::uuid
    union all
    select p.shown_at, c.name, p.number, p.outcome, g.name, null, p.reason
    from previews p
    join campaigns c on c.id = p.campaign_id
    join agents g on g.id = p.agent_id
    where p.contact_id = $1 and p.outcome in ('skipped', 'refused')
) h
order by at desc
limit $2;

-- name: preview_take
-- Ends a hold because its agent dials, unless it is over; tells whether it was still there.
update previews set ended_at = now(), outcome = 'dialed'
where id = $1 and ended_at is null and expires_at > now()
returning true;

-- name: preview_dialed
-- Says what the agent's dialing brought: an attempt, or a refusal with its reason.
update previews set attempt_id = $2, reason = $3, outcome = case when $2::uuid is null then 'refused' else outcome end
where id = $1;

-- name: preview_end
-- Ends a hold at $6 and lets its contact be due again: at a moment of the gate's clock with a reason, or (null) at once.
-- A hold that was only cleared meanwhile, because nobody heard of its end, ends as is said here; a contact with which
-- something newer has begun is left alone.
with ended as (
    update previews set ended_at = $6, outcome = $2, reason = $3
    where id = $1 and (ended_at is null or reason = 'the engine that showed it is gone')
    returning id, campaign_id, contact_id, shown_at
)
update queue q
set next_at = coalesce($4::timestamptz, '-infinity'), held_rule = case when $4::timestamptz is null then null else 'skipped' end,
    held_reason = case when $4::timestamptz is null then null else $5::text end
from ended e
where q.campaign_id = e.campaign_id and q.contact_id = e.contact_id and q.state = 'due'
  and (q.held_rule = 'preview' or q.held_rule is null)
  and not exists (select 1 from previews n where n.contact_id = e.contact_id and n.id <> e.id and n.shown_at > e.shown_at)
  and not exists (select 1 from attempts a where a.contact_id = e.contact_id and a.reserved_at > e.shown_at);
