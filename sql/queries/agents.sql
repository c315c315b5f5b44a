-- name: sessions_open
-- Finds the open sessions of agents.
select agent_id, id from agent_sessions where agent_id = any($1::bigint[]) and ended_at is null;

-- name: sessions_start
-- Opens sessions of agents who have none.
insert into agent_sessions (agent_id, node, channel, started_at)
select s.agent_id, s.node, '', s.at from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as s(agent_id, node, at)
on conflict do nothing returning agent_id, id;

-- name: states_add
-- Records changes of what agents are doing; written again they stand once.
insert into agent_states (session_id, agent_id, state, at, campaign_id, attempt_id, pause_wanted)
select s.session_id, s.agent_id, s.state, s.at, s.campaign_id, s.attempt_id, s.pause_wanted
from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::uuid[], $7::boolean[])
    as s(session_id, agent_id, state, at, campaign_id, attempt_id, pause_wanted)
on conflict do nothing;

-- name: sessions_end
-- Ends sessions whose legs are gone.
update agent_sessions a set ended_at = greatest(s.at, a.started_at), end_reason = $3
from unnest($1::bigint[], $2::timestamptz[]) as s(id, at)
where a.id = s.id and a.ended_at is null;

-- name: sessions_after
-- Finds the sessions in which agents stood, or which they had after, a moment that is told late ($2); $3 is the
-- earliest of these moments.
select distinct on (s.agent_id) s.agent_id, s.id
from agent_sessions s
join unnest($1::bigint[], $2::timestamptz[]) as c(agent_id, at) on c.agent_id = s.agent_id
where s.started_at > $3::timestamptz - interval '1 day' and s.ended_at >= c.at
order by s.agent_id, s.started_at;

-- name: sessions_end_late
-- Ends sessions by what is told late, unless the agent is known to have done something after it.
update agent_sessions a set ended_at = greatest(s.at, a.started_at), end_reason = $3
from unnest($1::bigint[], $2::timestamptz[]) as s(id, at)
where a.id = s.id and a.ended_at is null and a.started_at <= s.at
  and not exists (select 1 from agent_states n where n.session_id = a.id and n.at > s.at);

-- name: sessions_of_node
-- Finds who is on duty on a node according to the records, and what the last moment is that is known of each shift.
select s.agent_id, greatest(s.started_at, (select max(at) from agent_states where session_id = s.id)) as known_until
from agent_sessions s where s.node = $1 and s.ended_at is null;

-- name: sessions_nodes
-- Finds the nodes on which somebody is on duty according to the records.
select distinct node from agent_sessions where ended_at is null;

-- name: sessions_in_pause
-- Finds the agents whose last session, open or of the last day, was last heard of in a pause or with one wanted.
select s.agent_id
from (
    select distinct on (agent_id) agent_id, id from agent_sessions
    where ended_at is null or started_at > now() - interval '1 day'
    order by agent_id, (ended_at is null) desc, started_at desc, id desc
) s
cross join lateral (
    select state, pause_wanted from agent_states
    where session_id = s.id and state <> 'off' order by at desc, id desc limit 1
) l
where l.state = 'paused' or l.pause_wanted;
