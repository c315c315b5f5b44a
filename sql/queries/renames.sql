-- name: members_lost
-- Lists the Members that the settings do not have though people asked them not to call: by how many numbers that no
-- entry forbids to those who take their place, and which Member of the settings ($1 keys, $2 names, $3 callback numbers)
-- may be the same one under another name: a newer one with that name or callback number.
with given as (
    select g.key, g.name, g.callback, m.id
    from unnest($1::text[], $2::text[], $3::text[]) as g(key, name, callback) left join members m on m.key = g.key
), lost as (
    select m.id, m.key,
           (select g.key from given g
            where (g.id is null or g.id > m.id) and (lower(g.name) = lower(m.name) or g.callback = m.callback_number)
            order by lower(g.name) = lower(m.name) desc, g.key limit 1) as likely
    from members m where not m.key = any($1::text[])
)
select * from (
    select l.key, l.likely,
           (select count(distinct s.number) from suppressions s
            where s.member_id = l.id and not exists (
                select from suppressions o
                where o.number = s.number and (o.member_id is null or o.member_id in (
                    select g.id from given g where l.likely is null or g.key = l.likely)))) as numbers
    from lost l
) counted
where numbers > 0 order by key;

-- name: campaigns_lost
-- Lists pairs of campaigns of one Member with a list in common: one that the settings do not have and that has called,
-- and one of the settings ($1 names, $2 Members, $3 lists, a row for each list) that has not.
select distinct c.name as old, g.name as new
from unnest($1::text[], $2::text[], $3::text[]) as g(name, member, list)
join members m on m.key = g.member
join lists l on l.member_id = m.id and l.name = g.list
join campaign_lists o on o.list_id = l.id and o.active
join campaigns c on c.id = o.campaign_id
where not c.name = any($1::text[])
  and exists (select from queue q where q.campaign_id = c.id and q.last_attempt_at is not null)
  and not exists (select from campaigns n join queue q on q.campaign_id = n.id
                  where n.name = g.name and q.last_attempt_at is not null)
order by c.name, g.name;

-- name: member_lock
-- Finds a Member by its short name and lets nobody add anything to it until this transaction ends.
select id from members where key = $1 for update;

-- name: member_used
-- Names what a Member has that another one's name must not cover.
select what from (values
    ('contacts', exists (select from contacts where member_id = $1)),
    ('calls', exists (select from attempts where member_id = $1)),
    ('do-not-call entries', exists (select from suppressions where member_id = $1)
        or exists (select from suppression_log where member_id = $1)
        or exists (select from opt_outs where member_id = $1)),
    ('consents', exists (select from consents where member_id = $1))
) as used(what, is_there)
where is_there;

-- name: member_set_key
-- Gives a Member another short name.
update members set key = $2 where id = $1;

-- name: member_hand_over
-- Gives what came to an unused Member ($1) by the settings or commands to another one ($2): campaigns, agents,
-- waivers and subscriptions of registries; a subscription that the other one has too ends.
with campaigns_moved as (
    update campaigns set member_id = $2 where member_id = $1
), agents_moved as (
    update agents set member_id = $2 where member_id = $1
), waivers_moved as (
    update registry_waivers set member_id = $2 where member_id = $1
), twice as (
    update registry_subscriptions s set ended_at = now()
    where s.member_id = $1 and s.ended_at is null and exists (
        select from registry_subscriptions o
        where o.member_id = $2 and o.list_id = s.list_id and o.account = s.account and o.ended_at is null)
)
update registry_subscriptions s set member_id = $2
where s.member_id = $1 and s.ended_at is null and not exists (
    select from registry_subscriptions o
    where o.member_id = $2 and o.list_id = s.list_id and o.account = s.account and o.ended_at is null);

-- name: campaign_lock
-- Finds a campaign by its name, with its Member's short name, and lets nobody add anything to it until this
-- transaction ends.
select c.id, m.key as member from campaigns c join members m on m.id = c.member_id where c.name = $1 for update of c;

-- name: campaign_used
-- Tells whether a campaign has called anybody or shown anybody to an agent.
select exists (select from attempts where campaign_id = $1) or exists (select from previews where campaign_id = $1);

-- name: campaign_set_name
-- Gives a campaign another name.
update campaigns set name = $2 where id = $1;

-- name: campaign_set_aside
-- Gives a campaign that was never used a name that no file can have, and stops it.
update campaigns set name = $2, state = 'stopped' where id = $1;

-- name: suppressed_numbers
-- Lists the numbers that one Member may not call and another one may.
select distinct s.number from suppressions s
where s.member_id = $1 and not exists (
    select from suppressions o where o.number = s.number and o.member_id = $2)
order by s.number;
