-- name: pacing_add
-- Keeps one minute of a campaign; written again after a lost reply it stands once.
insert into pacing_minutes (
    campaign_id, minute, epoch, mode, seconds, level, level_max, talking, ready, wrap, paused,
    placed, live, abandoned, cancelled, agent_waits, agent_wait_s, customer_waits, customer_wait_s,
    price, bound, reason, bounds, hours, period_live, period_abandoned, abandon_limit,
    risk_answers, risk_predicted, risk_abandoned)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
        $23::text::jsonb, $24, $25, $26, $27, $28, $29, $30)
on conflict do nothing;

-- name: pacing_spans
-- Sums up each campaign's minutes from $1 on and before $2 in spans of $3, with the reason that bounded each longest.
with minutes as (
    select c.name as campaign, date_bin($3::interval, p.minute, timestamptz '2000-01-01 00:00Z') as start, p.*
    from pacing_minutes p join campaigns c on c.id = p.campaign_id
    where p.minute >= $1 and p.minute < $2 and ($4::text is null or c.name = $4)
), bounds as (
    select distinct on (campaign, start) campaign, start, b.key as bound, sum(b.value::float8) as seconds
    from minutes m cross join lateral jsonb_each_text(m.bounds) b
    group by campaign, start, b.key
    order by campaign, start, seconds desc, b.key
), weights as (
    select m.*, nullif(sum(m.seconds) over (partition by m.campaign, m.start), 0) as whole from minutes m
)
select w.campaign, w.start,
       string_agg(distinct w.mode, '+') as mode,
       sum(w.seconds)::float8 as seconds,
       coalesce(sum(w.level * w.seconds / w.whole), 0)::float8 as level,
       max(w.level_max) as level_max,
       coalesce(sum(w.talking * w.seconds / w.whole), 0)::float8 as talking,
       coalesce(sum(w.ready * w.seconds / w.whole), 0)::float8 as ready,
       coalesce(sum(w.wrap * w.seconds / w.whole), 0)::float8 as wrap,
       coalesce(sum(w.paused * w.seconds / w.whole), 0)::float8 as paused,
       sum(w.placed) as placed, sum(w.live) as live, sum(w.abandoned) as abandoned, sum(w.cancelled) as cancelled,
       (sum(w.agent_wait_s) / nullif(sum(w.agent_waits), 0))::float8 as agent_wait_s,
       (sum(w.customer_wait_s) / nullif(sum(w.customer_waits), 0))::float8 as customer_wait_s,
       avg(w.price)::float8 as price,
       coalesce(max(b.bound), 'closed') as bound,
       (array_agg(w.reason order by (w.bound = b.bound) desc nulls last, w.minute desc))[1] as reason,
       (array_agg(w.hours order by w.minute desc) filter (where w.hours is not null))[1] as hours,
       (array_agg(w.period_live order by w.minute desc))[1] as period_live,
       (array_agg(w.period_abandoned order by w.minute desc))[1] as period_abandoned,
       (array_agg(w.abandon_limit order by w.minute desc))[1]::float8 as abandon_limit
from weights w
left join bounds b on b.campaign = w.campaign and b.start = w.start
group by w.campaign, w.start
order by w.campaign, w.start;

-- name: pacing_calibration
-- Sums up, per campaign and bin of predicted risk, answers, predicted abandoned calls, and abandoned calls.
select c.name as campaign, x.bin::integer as bin, sum(x.answers) as answers,
       sum(x.predicted)::float8 as predicted, sum(x.abandoned) as abandoned
from pacing_minutes p
join campaigns c on c.id = p.campaign_id
cross join lateral unnest(p.risk_answers, p.risk_predicted, p.risk_abandoned)
    with ordinality as x(answers, predicted, abandoned, bin)
where p.minute >= $1 and p.minute < $2 and ($3::text is null or c.name = $3)
group by c.name, x.bin
having sum(x.answers) > 0
order by c.name, x.bin;
