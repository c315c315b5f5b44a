-- name: session_open
-- Finds the agent's open session.
select id from agent_sessions where agent_id = $1 and ended_at is null;

-- name: session_start
-- Opens a session; an open one is kept.
insert into agent_sessions (agent_id, node, channel, started_at) values ($1, $2, $3, $4)
on conflict do nothing returning id;

-- name: session_end
-- Ends the agent's open session.
update agent_sessions set ended_at = greatest($2, started_at), end_reason = $3
where agent_id = $1 and ended_at is null returning id;

-- name: sessions_end_all
-- Ends every open session of a node.
update agent_sessions set ended_at = greatest($2, started_at), end_reason = $3 where node = $1 and ended_at is null;

-- name: state_add
-- Records a change of what an agent is doing; written again it stands once.
insert into agent_states (session_id, agent_id, state, at, campaign_id, attempt_id) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing;
