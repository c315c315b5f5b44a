-- What the pacing of each campaign did, minute by minute, and whether its forecasts came true.

create table pacing_minutes (
    campaign_id     bigint not null references campaigns on delete cascade,
    minute          timestamptz not null check (extract(second from minute) = 0),
    -- The engine's lease: after a take-over a minute has a row of each engine.
    epoch           bigint not null,
    mode            text not null,
    seconds         real not null check (seconds >= 0),
    -- Means over the seconds that were seen.
    level           real not null,
    level_max       integer not null,
    talking         real not null,
    ready           real not null,
    wrap            real not null,
    paused          real not null,
    placed          integer not null,
    live            integer not null,
    abandoned       integer not null check (abandoned <= live),
    cancelled       integer not null,
    -- Waits that ended: how many, and the sum of their seconds.
    agent_waits     integer not null,
    agent_wait_s    real not null,
    customer_waits  integer not null,
    customer_wait_s real not null,
    price           real,
    bound           text not null,
    reason          text not null,
    bounds          jsonb not null,
    -- Why nobody may be called at this hour; null when somebody may.
    hours           text,
    -- The legal period at the minute's end.
    period_live     integer,
    period_abandoned integer,
    abandon_limit   real,
    -- Answers by predicted risk, in ten bins.
    risk_answers    integer[] not null check (cardinality(risk_answers) = 10),
    risk_predicted  real[] not null check (cardinality(risk_predicted) = 10),
    risk_abandoned  integer[] not null check (cardinality(risk_abandoned) = 10),
    primary key (campaign_id, minute, epoch)
);
create index pacing_minutes_by_time on pacing_minutes (minute);
