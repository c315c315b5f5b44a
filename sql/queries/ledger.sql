-- name: ledger_first_call
-- Returns the day (UTC) of a campaign's first call and remembers it; null before the first.
update campaigns c
set first_call_on = coalesce(c.first_call_on, (
    select (min(r.reserved_at) at time zone 'UTC')::date from cdrs r where r.campaign_id = c.id))
where c.id = $1
returning first_call_on;

-- name: ledger_days
-- Counts a campaign's ended attempts by area code and day (UTC), from $2 on (by the time of reservation).
select substr(called_number, 3, 3) as npa, day,
       count(*) filter (where standing = 'connected') as connected,
       count(*) filter (where standing = 'abandoned') as abandoned,
       count(*) filter (where standing = 'short') as short,
       count(*) filter (where standing = 'doubtful') as doubtful,
       count(*) filter (where standing = 'abandoned' and message_in_time) as messages,
       0::bigint as machine_hangups,
       count(*) filter (where rung_short) as rung_short
from ledger_calls
where campaign_id = $1 and reserved_at >= $2
group by 1, 2
order by 2, 1;

-- name: ledger_doubtful
-- Lists the connected attempts without a disposition: the answer whether a person was there may still come.
select l.attempt_id::text as attempt_id, l.called_number, l.day
from ledger_calls l
where l.campaign_id = $1 and l.reserved_at >= $2 and l.standing = 'doubtful'
  and not exists (select 1 from dispositions d where d.attempt_id = l.attempt_id);

-- name: ledger_groups
-- Lists campaigns with what makes several of them one campaign in law: Member, seller and offer.
select id, name, member_id, seller, offer from campaigns order by id;
