-- name: chaos_records
-- Lists call records as the fault suite compares them with the carrier's calls.
select called_number as number, result, extract(epoch from ended_at)::float8 as ended_at, agent,
       extract(epoch from originated_at)::float8 as originated_at,
       extract(epoch from answered_at)::float8 as answered_at,
       extract(epoch from message_at)::float8 as message_at, extract(epoch from joined_at)::float8 as joined_at,
       sip_code, cause_text
from cdrs order by cdrs.ended_at;

-- name: chaos_counted_refusals
-- Lists the numbers of calls that the carrier refused by a code of its trunk's fault, and that count for the caps.
select a.number
from attempts a
join cdrs c on c.attempt_id = a.id
where a.counted and a.result = 'trunk_fault' and c.sip_code is not null;

-- name: chaos_unrecorded
-- Lists the numbers of attempts that have ended and have no call record.
select a.number
from attempts a
where a.ended_at is not null and not exists (select 1 from cdrs c where c.attempt_id = a.id);

-- name: chaos_live
-- Lists the attempts that have not ended.
select id::text as id, number, node, state from attempts where ended_at is null;

-- name: chaos_reserved
-- Tells whether an attempt is reserved and has not left yet.
select exists (select 1 from attempts where ended_at is null and state = 'reserved');

-- name: chaos_lock
-- Keeps everybody else from reading and writing attempts until the transaction ends.
lock table attempts in access exclusive mode;

-- name: chaos_tries
-- Lists the numbers of contacts who are charged for attempts, with how many.
select n.number, sum(q.tries)::int as tries
from queue q
join contact_numbers n on n.contact_id = q.contact_id
where q.tries > 0 group by n.number;

-- name: chaos_suppressed
-- Lists the numbers that nobody may call any more.
select distinct number from suppressions;

-- name: chaos_forgotten
-- Lists contacts whose row in the queue says that an attempt is live, and none is.
select n.number
from queue q
join contact_numbers n on n.contact_id = q.contact_id
where q.state = 'live'
  and not exists (
      select 1 from attempts a
      where a.ended_at is null and a.contact_id = q.contact_id and a.campaign_id = q.campaign_id
  );

-- name: chaos_due_again
-- Lists contacts whose call has ended and who are due before the 24 hours of the fault suite's retry delays are over, or
-- whom the gate had to refuse for that reason (then `due` is null). A clock that is stepped back by an hour
-- during the call shortens the delay. Calls that never left and trunk faults are due at once on purpose, and after a call
-- of unknown outcome it is the gate that lets nobody be called, for ever (decision 0033).
select a.number, case when q.held_rule is distinct from 'retry_delay' then q.next_at end::text as due,
       a.gate_at::text as called
from attempts a
join queue q on q.campaign_id = a.campaign_id and q.contact_id = a.contact_id
where a.ended_at is not null and a.counted and a.result not in ('trunk_fault', 'unknown')
  and (q.next_at < a.gate_at + interval '22 hours' or q.held_rule = 'retry_delay');

-- name: chaos_owners
-- Lists the epochs under which calls left, each with its first and last moment, in their order.
select epoch, extract(epoch from min(at))::float8 as first, extract(epoch from max(at))::float8 as last
from attempt_events where kind = 'dialing' group by epoch order by epoch;

-- name: chaos_earlier
-- Lists what was written under the epochs of owners before the present one, and not taken over by it.
with newest as (select max(epoch) as epoch from leases)
select 'attempt ' || a.id as what from attempts a, newest n where a.epoch < n.epoch
union all
select 'event ' || e.number || ' of attempt ' || e.attempt_id from attempt_events e, newest n where e.epoch < n.epoch
union all
select 'record of attempt ' || c.attempt_id from cdrs c, newest n where c.epoch < n.epoch;

-- name: chaos_numbers
-- Tells the number that each attempt called; an attempt's id is its channel's.
select id::text as id, number from attempts;

-- name: chaos_next_journal
-- Sends Postgres to the next file of its journal, for which it needs room.
select pg_switch_wal();

-- name: chaos_write
-- Writes a word to the journal of Postgres, and to nothing else.
select pg_logical_emit_message(true, 'chaos', 'is there room?');

-- name: chaos_passed_over
-- Lists contacts who do not wait any more and were never tried, with the state and its reason.
select n.number, q.state, coalesce(q.held_rule, q.last_result, 'no reason') as why
from queue q
join contact_numbers n on n.contact_id = q.contact_id
where q.state in ('held', 'done') and q.tries = 0;
