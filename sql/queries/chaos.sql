-- name: chaos_records
-- Lists call records as the fault suite compares them with the carrier's calls.
select called_number as number, result, extract(epoch from ended_at)::float8 as ended_at from cdrs order by ended_at;

-- name: chaos_live
-- Lists the numbers of attempts that have not ended.
select number from attempts where ended_at is null;

-- name: chaos_reserved
-- Tells whether an attempt is reserved and has not left yet.
select exists (select 1 from attempts where ended_at is null and state = 'reserved');

-- name: chaos_lock
-- Keeps everybody else from reading and writing attempts until the transaction ends.
lock table attempts in access exclusive mode;
