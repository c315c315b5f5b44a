-- name: queue_fill
-- Moves the next contacts of the campaign's first unfinished list into its queue and returns how many. The
-- comparisons of pairs leave no plan but the index of (list_id, id): others read all contacts of later lists.
with source as (
    select l.list_id, l.cursor_id from campaign_lists l
    where l.campaign_id = $1 and l.active
      and (select c.id from contacts c
           where (c.list_id, c.id) > (l.list_id, l.cursor_id) and c.list_id <= l.list_id
           order by c.list_id, c.id limit 1) is not null
    order by l.position
    limit 1
    for update skip locked
), batch as (
    select c.id, c.list_id
    from source s
    cross join lateral (
        select id, list_id from contacts
        where (list_id, id) > (s.list_id, s.cursor_id) and list_id <= s.list_id
        order by list_id, id limit $3 for key share
    ) c
), moved as (
    insert into queue (campaign_id, contact_id, list_id, state, next_at)
    select $1, id, list_id, 'due', $2 from batch
    on conflict do nothing
), stepped as (
    update campaign_lists l set cursor_id = b.last
    from (select max(id) as last, max(list_id) as list_id from batch) b
    where l.campaign_id = $1 and l.list_id = b.list_id
)
select count(*) from batch;

-- name: queue_counts
-- Counts the queue by what its contacts wait for; each count stops at $3, so that it costs the same at any size.
select 'due' as kind, null as rule, count(*) as n
from (select 1 from queue where campaign_id = $1 and next_at <= $2 limit $3) d
union all
select 'waiting', null, count(*)
from (select 1 from queue where campaign_id = $1 and next_at > $2 limit $3) w
union all
select 'done', null, count(*)
from (select 1 from queue where campaign_id = $1 and state = 'done' limit $3) f
union all
select 'held', held_rule, count(*)
from (select held_rule from queue where campaign_id = $1 and held_rule is not null limit $3) h
group by held_rule
union all
select 'unfilled', null, count(*)
from (select 1 from campaign_lists l
      cross join lateral (
          select c.id from contacts c
          where (c.list_id, c.id) > (l.list_id, l.cursor_id) and c.list_id <= l.list_id
          order by c.list_id, c.id limit $3) c
      where l.campaign_id = $1 and l.active limit $3) u;

-- name: queue_requeue
-- Makes up to $3 contacts of a campaign due again that these rules held, or several; the gate looks at them anew.
with held as (
    select contact_id from queue
    where campaign_id = $1 and held_rule = any(array_append($2::text[], 'several')) and state = 'held'
    limit $3
    for update skip locked
)
update queue q set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
from held h where q.campaign_id = $1 and q.contact_id = h.contact_id;

-- name: queue_held_under
-- Reads the settings under which a campaign's contacts were held.
select held_under from campaigns where id = $1;

-- name: queue_hold_under
-- Remembers the settings under which a campaign's contacts are held from now on: waits for the reservations under way
-- and keeps new ones out until this transaction ends.
update campaigns set held_under = $2 where id = $1;

-- name: queue_requeue_number
-- Makes contacts of the persons with this number due again after a suppression was taken away.
update queue q set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
from persons_numbers($1::text[]) p join contact_numbers n on n.member_id = p.member_id and n.number = p.number
where q.contact_id = n.contact_id and q.state = 'held';
