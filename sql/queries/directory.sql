-- name: member_put
-- Adds a Member or brings its details up to date, and returns its id.
insert into members (key, name, callback_number, address) values ($1, $2, $3, $4)
on conflict (key) do update
set name = excluded.name, callback_number = excluded.callback_number, address = excluded.address
returning id;

-- name: member_id
-- Finds a Member by its short name.
select id from members where key = $1;

-- name: member_keys
-- Lists the Members' short names.
select key from members order by key;

-- name: list_put
-- Finds or adds a Member's list and returns its id.
with added as (
    insert into lists (member_id, name) values ($1, $2) on conflict do nothing returning id
)
select id from added union all select id from lists where member_id = $1 and name = $2 limit 1;

-- name: list_names
-- Lists the names of a Member's lists.
select name from lists where member_id = $1 order by name;

-- name: lists_missed
-- Lists the lists of campaigns ($1 campaigns, $2 Members, $3 lists, a row for each list) that have no contact, where the
-- Member has others with contacts that none of these campaigns calls: perhaps one of them is meant.
with given as (
    select * from unnest($1::text[], $2::text[], $3::text[]) as g(campaign, member, list)
), filled as (
    select m.key as member, l.name as list from lists l join members m on m.id = l.member_id
    where exists (select from contacts c where c.list_id = l.id)
), uncalled as (
    select member, list from filled except select member, list from given
)
select g.campaign, g.member, g.list, array_agg(u.list order by u.list) as others
from given g join uncalled u on u.member = g.member
where not exists (select from filled f where f.member = g.member and f.list = g.list)
group by g.campaign, g.member, g.list order by g.campaign, g.list;

-- name: campaign_put
-- Adds a campaign or brings its details up to date, and returns its id; the seller is the Member unless named.
insert into campaigns (member_id, name, seller, offer)
select m.id, $2, coalesce($3, m.name), $4 from members m where m.id = $1
on conflict (name) do update
set member_id = excluded.member_id, seller = excluded.seller, offer = excluded.offer
returning id;

-- name: campaign_list_put
-- Gives a campaign a list at a position; contacts held since the list was taken away are due again.
with given as (
    insert into campaign_lists (campaign_id, list_id, position) values ($1, $2, $3)
    on conflict (campaign_id, list_id) do update set position = excluded.position, active = true
)
update queue set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
where campaign_id = $1 and list_id = $2 and held_rule = 'list' and state = 'held';

-- name: campaign_lists_drop
-- Takes all lists but these away from a campaign and holds their contacts. Those that wait for a moment of their own (an
-- agreed callback, the time after a result or a skip) or are on show keep it: a reservation holds them once they are due,
-- and a list that is back by then has changed nothing for them.
with dropped as (
    update campaign_lists set active = false
    where campaign_id = $1 and active and not list_id = any($2::bigint[])
    returning list_id
)
update queue q set state = 'held', next_at = null, held_rule = 'list',
       held_reason = 'its list was taken away from the campaign'
from dropped d
where q.campaign_id = $1 and q.list_id = d.list_id and q.state in ('due', 'held')
  and (q.held_rule is null or q.held_rule not in ('retry', 'skipped', 'preview'));

-- name: campaign_known
-- Finds a campaign ($1), a Member ($2) and the lists of the Member with these names ($3); 0 for what is not there.
select coalesce((select id from campaigns where name = $1), 0) as campaign_id,
       coalesce((select id from members where key = $2), 0) as member_id,
       array(select l.id from lists l join members m on m.id = l.member_id
             where m.key = $2 and l.name = any($3::text[]) order by l.id) as list_ids;

-- name: campaign_states
-- Lists the campaigns with id and state.
select id, name, state from campaigns order by name;

-- name: campaign_set_state
-- Sets a campaign's state.
update campaigns set state = $2, state_at = $3 where id = $1 returning id;

-- name: audit_add
-- Remembers who changed what.
insert into audit (at, who, action, object, detail) values ($1, $2, $3, $4, $5);

-- name: agent_add
-- Adds an agent and returns the id.
insert into agents (member_id, name, password) values ($1, $2, $3) returning id;

-- name: agents_all
-- Lists the agents that were not removed.
select id, name, password, member_id from agents where removed_at is null order by name;

-- name: agent_remove
-- Removes an agent's account; the row stays for the records.
update agents set removed_at = $2, password = '' where name = $1 and removed_at is null returning id;

-- name: agent_password
-- Gives an agent another password.
update agents set password = $2 where name = $1 and removed_at is null returning id;
