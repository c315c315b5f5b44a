-- name: facts_contacts
-- Reads the contacts that have a number, with all their numbers and the state of their campaigns' queues; 0 and no name
-- stand for no campaign. `on_list` is false where the list was taken away from the campaign.
select c.id as contact_id, m.key as member, c.member_id, l.name as list, c.list_id, c.regions, c.zones, c.business,
       o.id as number_id, o.number, o.position, true as mine,
       exists (select 1 from person_links p where p.member_id = o.member_id and p.number = o.number) as linked,
       true as listed, coalesce(cl.active, true) as on_list, coalesce(k.id, 0) as campaign_id, k.name as campaign,
       coalesce(q.tries, 0) as tries, q.last_result,
       q.last_attempt_at, q.state as queue_state, nullif(q.next_at, '-infinity') as next_at, q.held_rule, q.held_reason, coalesce(q.final, false) as final
from contact_numbers n
join contacts c on c.id = n.contact_id
join contact_numbers o on o.contact_id = c.id
join lists l on l.id = c.list_id
join members m on m.id = c.member_id
left join campaign_lists cl on cl.list_id = c.list_id
left join campaigns k on k.id = cl.campaign_id
left join queue q on q.campaign_id = k.id and q.contact_id = c.id
where n.number = $1 and ($2::bigint is null or k.id = $2)
order by m.key, l.name, k.name, c.id, o.position, o.id;
