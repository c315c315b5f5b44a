-- name: reserve_open
-- Opens a reservation: waits for a suppression that is being committed.
select pg_advisory_xact_lock_shared(7204602);

-- name: reserve_raise_epoch
-- Remembers the newest owner's epoch; no row is touched when it is known already.
update campaigns set epoch = $2 where id = $1 and epoch < $2;

-- name: reserve_epoch
-- Reads the epoch and the settings that verdicts go by, and keeps both, and the campaign's lists, as they are until the
-- reservation is committed.
select epoch, held_under from campaigns where id = $1 for share;

-- name: reserve_take
-- Takes due contacts that nobody else holds, with their numbers; `mine` is false while another reservation
-- looks at the same number, `listed` once the contact's list was taken away from the campaign.
with due as materialized (
    select contact_id, list_id, next_at, tries, last_result, last_attempt_at
    from queue
    where campaign_id = $1 and next_at <= $2
    order by next_at, contact_id
    limit $3
    for update skip locked
)
select d.contact_id, d.tries, d.last_result, d.last_attempt_at, c.list_id, c.regions, c.zones, c.business,
       n.id as number_id, n.number, n.position, pg_try_advisory_xact_lock(7204603, hashtext(n.number)) as mine,
       exists (select 1 from person_links l where l.member_id = n.member_id and l.number = n.number) as linked,
       coalesce(o.active, false) as listed
from due d
join contacts c on c.id = d.contact_id
left join campaign_lists o on o.campaign_id = $1 and o.list_id = d.list_id
left join contact_numbers n on n.contact_id = d.contact_id
order by d.next_at, d.contact_id, n.position, n.id;

-- name: reserve_take_shown
-- Takes the contact that is on show and being dialed, like `reserve_take`; whatever it waits for, its agent decides.
with shown as materialized (
    select contact_id, list_id, tries, last_result, last_attempt_at
    from queue
    where campaign_id = $1 and contact_id = $2 and state = 'due'
    for update
)
select d.contact_id, d.tries, d.last_result, d.last_attempt_at, c.list_id, c.regions, c.zones, c.business,
       n.id as number_id, n.number, n.position, pg_try_advisory_xact_lock(7204603, hashtext(n.number)) as mine,
       exists (select 1 from person_links l where l.member_id = n.member_id and l.number = n.number) as linked,
       coalesce(o.active, false) as listed
from shown d
join contacts c on c.id = d.contact_id
left join campaign_lists o on o.campaign_id = $1 and o.list_id = d.list_id
left join contact_numbers n on n.contact_id = d.contact_id
order by n.position, n.id;

-- name: linked_numbers
-- Lists all numbers of the persons whom these contacts are, where other contacts or rows belong to them too; `mine` is
-- false while a reservation looks at the number. Locks nothing unless $2 says so.
select c.id as contact_id, p.number,
       case when $2::boolean then pg_try_advisory_xact_lock(7204603, hashtext(p.number)) else true end as mine
from contacts c
cross join lateral persons_numbers(array(select number from contact_numbers where contact_id = c.id), c.member_id) p
where c.id = any($1::bigint[])
order by c.id, p.number;

-- name: number_suppressions
-- Finds what forbids these numbers, for everybody or for this Member.
select number, member_id, source, since from suppressions
where number = any($1::text[]) and (member_id is null or member_id = $2)
order by since;

-- name: number_attempts
-- Lists the attempts to these numbers since a moment of the gate's clock, of any campaign, that may have rung a phone,
-- and (without a moment) the numbers that are on show for an agent. Live is also what ended less than $3 of the wall
-- clock ago and nobody could cancel: the carrier never said a word (of trunk faults only those are counted), or before
-- anybody answered Asterisk died or the call was lost from sight (`unknown`). Such a phone may ring on.
select number, contact_id, gate_at,
       ended_at is null
       or (result = 'trunk_fault' or result in ('node_lost', 'unknown') and answered_at is null)
           and ended_at > now() - $3::interval as live
from attempts
where number = any($1::text[]) and gate_at > $2 and counted
union all
select number, null, null, false from previews
where number = any($1::text[]) and ended_at is null and expires_at > now()
order by number, gate_at;

-- name: contact_attempts
-- Sums up what was tried with these contacts: per number in this campaign, and live anywhere; and who is on show.
select contact_id, number_id,
       count(*) filter (where campaign_id = $2 and result is distinct from 'trunk_fault'
                        and not (result is not distinct from 'cancelled' and originated_at is null)) as tries,
       bool_or(campaign_id = $2 and result = 'not_in_service') as dead,
       bool_or(ended_at is null) as live, false as shown
from attempts
where contact_id = any($1::bigint[])
group by contact_id, number_id
union all
select contact_id, null, 0, false, false, true from previews
where contact_id = any($1::bigint[]) and ended_at is null and expires_at > now();

-- name: list_versions
-- Names the state of the do-not-call lists: the last change, and the registries in force for this transaction.
select 'suppressions:' || coalesce((select max(id) from suppression_log), 0)
       || coalesce((select string_agg(' ' || name || ':' || load_id, '' order by name)
                    from registry_lists where load_id is not null), '');

-- name: reserve_place
-- Writes the allowed attempts; one that lost its number or contact to another attempt is left out. $16 is what their
-- records will say; a version that the database does not have (it went back) counts as none.
with want as (
    select * from unnest($9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
        as w(contact_id, number_id, number, caller_id, local_time, zone, rule_versions)
), placed as (
    insert into attempts (campaign_id, member_id, contact_id, number_id, number, caller_id, trunk, node, epoch,
                          gate_at, reserved_at, local_time, zone, rule_versions, list_versions, record_version)
    select $1, $2, w.contact_id, w.number_id, w.number, w.caller_id, $3, $4, $5, $6, $7, w.local_time, w.zone,
           w.rule_versions, $8, (select version from record_fields where version = $16 and member_id = $2)
    from want w
    on conflict do nothing
    returning id, contact_id
), taken as (
    update queue q
    set state = 'live', next_at = null, tries = q.tries + 1, last_attempt_at = $6, held_rule = null,
        held_reason = null
    from placed p
    where q.campaign_id = $1 and q.contact_id = p.contact_id
)
select id, contact_id from placed;

-- name: reserve_hold
-- Puts contacts aside with the rule that forbids them: until a moment, or (null) until something changes.
update queue q
set state = case when h.next_at is null then 'held' else 'due' end,
    next_at = h.next_at, held_rule = h.rule, held_reason = h.reason
from unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[]) as h(contact_id, next_at, rule, reason)
where q.campaign_id = $1 and q.contact_id = h.contact_id;

-- name: caller_ids_used
-- Tells how often each caller ID was used on a day.
select caller_id, used from caller_id_use where campaign_id = $1 and day = $2;

-- name: caller_ids_count
-- Counts the caller IDs given out by this reservation.
insert into caller_id_use (campaign_id, day, caller_id, used)
select $1, $2, u.caller_id, u.used from unnest($3::text[], $4::bigint[]) as u(caller_id, used) order by u.caller_id
on conflict (campaign_id, day, caller_id) do update set used = caller_id_use.used + excluded.used;

-- name: reserve_outlook
-- Tells when the next contact is due (now or later), and whether the lists hold more or calls are under way.
select (select greatest(q.next_at, $2::timestamptz)
        from (select min(next_at) as next_at from queue where campaign_id = $1 and next_at is not null) q
        where q.next_at is not null) as next_at,
       exists (select 1 from campaign_lists l
               where l.campaign_id = $1 and l.active
                 and (select c.id from contacts c
                      where (c.list_id, c.id) > (l.list_id, l.cursor_id) and c.list_id <= l.list_id
                      order by c.list_id, c.id limit 1) is not null) as more,
       exists (select 1 from attempts where campaign_id = $1 and ended_at is null) as live;
