-- Whom the dialplan took from the agent at once, into the drop message, was abandoned: the same rules as core/ledger.py.

create or replace view ledger_calls as
select c.attempt_id, c.campaign_id, c.member_id, c.called_number, c.reserved_at,
       (coalesce(c.answered_at, c.originated_at, c.reserved_at) at time zone 'UTC')::date as day,
       case
           when c.answered_at is null then
               case when c.result in ('unknown', 'node_lost') and c.originated_at is not null
                   then 'abandoned' else 'unanswered' end
           when c.message_at - c.joined_at <= interval '2 seconds' then 'abandoned'
           when c.joined_at - c.answered_at <= interval '2 seconds' then
               case when d.person then 'connected' else 'doubtful' end
           when c.joined_at is not null then 'abandoned'
           when c.message_at is null and c.ended_at - c.answered_at < interval '2 seconds'
                and c.ended_by <> 'engine' and c.result not in ('unknown', 'node_lost') then 'short'
           else 'abandoned'
       end as standing,
       c.message_at - c.answered_at <= interval '2 seconds' as message_in_time,
       c.answered_at is null and c.ended_by = 'engine' and c.ended_at - c.ringing_at < interval '15 seconds'
           and not (c.result in ('unknown', 'node_lost') and c.originated_at is not null) as rung_short
from cdrs c
left join lateral (
    select person from dispositions where attempt_id = c.attempt_id order by id desc limit 1
) d on true;
