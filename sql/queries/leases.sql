-- name: lease_lock
-- Before a taking: waits until no transaction relies on the lease any more (lease_guard). A heartbeat is not waited
-- for, and one's own transactions go on beside it.
select from leases where name = $1 and (owner = $2 or expires_at < clock_timestamp()) for update;

-- name: lease_lock_family
-- The same for all leases of a family, whoever has them; heartbeats wait as well.
select from leases where starts_with(name, $1) order by name for update;

-- name: lease_turn
-- Lets engines that take leases come one by one; a statement of its own, so that the next one sees what they took.
select pg_advisory_xact_lock(7204606);

-- name: lease_rival
-- Tells which other engine owns another Asterisk of this database.
select name, owner from leases
where starts_with(name, $3) and name <> $1 and owner <> $2 and expires_at > clock_timestamp()
limit 1;

-- name: lease_take
-- Takes a lease that is free, expired or one's own, with the next epoch; no row when another holds it. The
-- database's clock decides, because all engines share it.
insert into leases as l (name, owner, epoch, expires_at, heartbeat_at)
values ($1, $2, 1, clock_timestamp() + $3, clock_timestamp())
on conflict (name) do update
set owner = excluded.owner, epoch = l.epoch + 1, expires_at = excluded.expires_at,
    heartbeat_at = excluded.heartbeat_at
where l.owner = excluded.owner or l.expires_at < clock_timestamp()
returning epoch;

-- name: lease_holder
-- Tells who holds a lease, until when, and whether that is over.
select owner, epoch, expires_at, expires_at < clock_timestamp() as expired from leases where name = $1;

-- name: lease_guard
-- Reads a lease's epoch and keeps it from being taken until the end of the transaction; heartbeats go on.
select epoch from leases where name = $1 for key share;

-- name: lease_renewed
-- Tells when a lease was renewed last; no row when nobody ever took it.
select heartbeat_at from leases where name = $1;

-- name: lease_heartbeat
-- Holds on to a lease, and tells when it was renewed before and now; no row when it was lost.
update leases set expires_at = clock_timestamp() + $4, heartbeat_at = clock_timestamp()
where name = $1 and owner = $2 and epoch = $3
returning (select before.heartbeat_at from leases before where before.name = $1) as before, heartbeat_at as at;

-- name: lease_new_epochs
-- Fences off whoever had a lease of a family: nothing is written under the old epochs any more.
update leases set epoch = epoch + 1 where starts_with(name, $1);

-- name: lease_release
-- Lets go of a lease; its epoch is remembered.
update leases set expires_at = clock_timestamp() where name = $1 and owner = $2 and epoch = $3;

-- name: lease_wait
-- Shows that this session waits for a lease; ends with the session at the latest.
select pg_advisory_lock_shared(7204605, hashtext($1));

-- name: lease_wait_no_longer
-- Takes the sign of waiting away.
select pg_advisory_unlock_shared(7204605, hashtext($1));

-- name: lease_nobody_waits
-- Tells whether no session shows the sign of waiting.
select pg_try_advisory_xact_lock(7204605, hashtext($1));
