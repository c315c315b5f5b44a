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
-- Tells who holds a lease and until when.
select owner, epoch, expires_at from leases where name = $1;

-- name: lease_heartbeat
-- Holds on to a lease; no row when it was lost.
update leases set expires_at = clock_timestamp() + $4, heartbeat_at = clock_timestamp()
where name = $1 and owner = $2 and epoch = $3
returning epoch;

-- name: lease_release
-- Lets go of a lease; its epoch is remembered.
update leases set expires_at = clock_timestamp() where name = $1 and owner = $2 and epoch = $3;
