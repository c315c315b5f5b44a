-- name: report_campaigns
-- Sums up each campaign and day (UTC) of reservation: results, abandonment as the ledger counts it, waiting for an
-- agent, talking. A campaign has the name of now, also for what it called under another one.
select k.name as campaign, (c.reserved_at at time zone 'UTC')::date as day,
       count(*) as attempts,
       count(*) filter (where c.answered_at is not null) as answered,
       count(*) filter (where c.result = 'bridged') as bridged,
       count(*) filter (where c.result = 'abandoned') as result_abandoned,
       count(*) filter (where l.standing in ('connected', 'abandoned')) as live,
       count(*) filter (where l.standing = 'abandoned') as abandoned,
       count(*) filter (where l.standing = 'doubtful') as doubtful,
       count(*) filter (where c.result = 'hung_up') as hung_up,
       count(*) filter (where c.result = 'no_answer') as no_answer,
       count(*) filter (where c.result = 'busy') as busy,
       count(*) filter (where c.result in ('congestion', 'failed', 'rejected', 'blocked', 'not_in_service', 'trunk_fault')) as failed,
       count(*) filter (where c.result in ('cancelled', 'unknown', 'node_lost')) as other,
       percentile_cont(0.5) within group (order by c.answer_to_agent_ms) as wait_p50_ms,
       percentile_cont(0.95) within group (order by c.answer_to_agent_ms) as wait_p95_ms,
       percentile_cont(0.99) within group (order by c.answer_to_agent_ms) as wait_p99_ms,
       count(c.answer_to_agent_ms) as joined,
       count(*) filter (where c.answer_to_agent_ms > 2000) as wait_over_2s,
       coalesce(sum(c.talk_ms), 0)::bigint as talk_ms
from cdrs c
join campaigns k on k.id = c.campaign_id
join ledger_calls l on l.attempt_id = c.attempt_id and l.reserved_at >= $1 and l.reserved_at < $2
where c.reserved_at >= $1 and c.reserved_at < $2 and ($3::text is null or k.name = $3)
group by 1, 2
order by 2, 1;

-- name: report_agents
-- Sums up each agent per campaign and day (UTC): seconds waiting, talking, in wrap-up and paused, and calls begun. A state
-- that was in force at $1 counts from there, and one over midnight on each of its days. One without an end goes on until
-- an engine was last heard of, and never beyond $2 or the present ($4).
with states as (
    select s.agent_id, s.campaign_id, s.state, s.attempt_id, s.at as began, greatest(s.at, $1) as at,
           greatest(s.at, $1, least(
               coalesce(lead(s.at) over (partition by s.session_id order by s.at, s.id), x.ended_at,
                        (select max(heartbeat_at) from leases where starts_with(name, 'engine:'))),
               $2, $4::timestamptz)) as until
    from agent_sessions x join agent_states s on s.session_id = x.id
    where x.started_at < $2 and (x.ended_at is null or x.ended_at >= $1)
), spans as (
    select s.agent_id, s.campaign_id, s.state, s.attempt_id, s.began, d.day::date as day,
           greatest(s.at, d.day at time zone 'UTC') as at,
           least(s.until, (d.day + interval '1 day') at time zone 'UTC') as until
    from states s
    cross join lateral generate_series(date_trunc('day', s.at at time zone 'UTC'), s.until at time zone 'UTC',
                                       interval '1 day') as d(day)
    where s.state <> 'off' and s.began < $2
)
select a.name as agent, coalesce(k.name, '-') as campaign, p.day,
       coalesce(extract(epoch from sum(p.until - p.at) filter (where p.state in ('ready', 'reserved'))), 0)::float8
           as wait_s,
       coalesce(extract(epoch from sum(p.until - p.at) filter (where p.state = 'in_call')), 0)::float8 as talk_s,
       coalesce(extract(epoch from sum(p.until - p.at) filter (where p.state = 'wrap')), 0)::float8 as wrap_s,
       coalesce(extract(epoch from sum(p.until - p.at) filter (where p.state = 'paused')), 0)::float8 as paused_s,
       count(distinct p.attempt_id) filter (where p.state = 'in_call' and p.at = p.began) as calls
from spans p
join agents a on a.id = p.agent_id
left join campaigns k on k.id = p.campaign_id
where ($3::text is null or k.name = $3) and (p.until > p.at or p.at = p.began)
group by a.name, k.name, p.day
order by p.day, k.name, a.name;
