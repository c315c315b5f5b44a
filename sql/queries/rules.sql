-- name: stops_in_force
-- Lists the emergency stops in force.
select region, reason, since, who, exempts_consent from emergency_stops where ended_at is null order by region;

-- name: stop_add
-- Stops calls into a region; nothing is returned when they are stopped already.
insert into emergency_stops (region, reason, since, who, exempts_consent) values ($1, $2, $3, $4, $5)
on conflict do nothing
returning id;

-- name: stop_end
-- Ends a region's stop.
update emergency_stops set ended_at = $2, ended_by = $3, end_reason = $4
where region = $1 and ended_at is null
returning id;

-- name: stops_history
-- Lists all emergency stops, newest first.
select region, reason, since, who, exempts_consent, ended_at, ended_by, end_reason
from emergency_stops order by since desc, id desc;

-- name: stop_requeue
-- Lets every contact that an emergency stop or several rules held be looked at again.
update queue set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
where state = 'held' and held_rule in ('emergency_stop', 'several');

-- name: live_with_places
-- Lists the live attempts that nobody answered yet, each with its Member and the hints to where its contact is.
select a.id, a.member_id, a.number, c.regions, c.zones
from attempts a join contacts c on c.id = a.contact_id
where a.ended_at is null and a.answered_at is null;

-- name: rule_set_add
-- Remembers the text of a version of the rules; nothing is returned when it is known.
insert into rule_sets (version, first_at, files) values ($1, $2, $3::text::jsonb)
on conflict do nothing
returning version;

-- name: rule_set_replaces
-- Tells whether one of these campaigns was run by another version of the rules last: what `zone_data` refuses goes by
-- nothing else.
select exists (
    select 1 from campaigns
    where id = any($2::bigint[]) and held_under is not null and held_under::jsonb ->> 'zone_data' is distinct from $1);

-- name: rule_set_of
-- Finds the text of a version of the rules.
select version, first_at, files::text as files from rule_sets where version = $1;

-- name: rule_sets_all
-- Lists the versions of the rules that were ever in force, newest first.
select version, first_at from rule_sets order by first_at desc, version;

