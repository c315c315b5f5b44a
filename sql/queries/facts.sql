-- name: facts_contacts
-- Lists the contacts that have a number, with the state of their campaigns' queues.
select c.id as contact_id, m.key as member, c.member_id, l.name as list, c.regions, c.zones, c.business,
       (select array_agg(o.number order by o.position) from contact_numbers o where o.contact_id = c.id) as numbers,
       n.id as number_id, k.id as campaign_id, k.name as campaign, coalesce(q.tries, 0) as tries, q.last_result,
       q.last_attempt_at, q.state as queue_state, nullif(q.next_at, '-infinity') as next_at, q.held_rule, q.held_reason, coalesce(q.final, false) as final
from contact_numbers n
join contacts c on c.id = n.contact_id
join lists l on l.id = c.list_id
join members m on m.id = c.member_id
left join campaign_lists cl on cl.list_id = c.list_id and cl.active
left join campaigns k on k.id = cl.campaign_id
left join queue q on q.campaign_id = k.id and q.contact_id = c.id
where n.number = $1 and ($2::bigint is null or k.id = $2)
order by m.key, l.name, k.name, c.id;
