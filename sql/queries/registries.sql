-- name: registry_hits
-- Finds the lists in force that name these numbers.
select w.number, l.name, l.load_id, coalesce(a.as_of, d.as_of) as as_of
from unnest($1::text[], $2::smallint[], $3::smallint[], $4::integer[]) as w(number, npa, exchange, line)
join registry_blocks b on b.npa = w.npa and b.exchange = w.exchange
join registry_lists l on l.id = b.list_id and l.side = b.side
join registry_loads d on d.id = l.load_id
left join registry_areas a on a.list_id = l.id and a.npa = w.npa and l.by_area
where registry_has(b.bits, b.lines, b.thousands, w.line);

-- name: registry_states
-- Tells how old each list is for these area codes, and whether the Member may use it; lists without area codes
-- come once, without one.
select w.npa, l.name, a.load_id, a.as_of,
       exists (select 1 from registry_subscriptions s
               where s.list_id = l.id and s.ended_at is null
                 and ($2::bigint is null or s.member_id is null or s.member_id = $2)
                 and (s.area_codes is null or w.npa = any(s.area_codes))) as subscribed,
       (select v.reason from registry_waivers v
        where v.list_id = l.id and v.ended_at is null and (v.member_id is null or v.member_id = $2)
        order by v.id limit 1) as waiver
from registry_lists l
cross join unnest($1::smallint[]) as w(npa)
left join registry_areas a on a.list_id = l.id and a.npa = w.npa
where l.by_area
union all
select null, l.name, d.id, d.as_of, true,
       (select v.reason from registry_waivers v
        where v.list_id = l.id and v.ended_at is null and (v.member_id is null or v.member_id = $2)
        order by v.id limit 1)
from registry_lists l
left join registry_loads d on d.id = l.load_id
where not l.by_area;

-- name: registry_reassigned_of
-- Finds the answers of the reassigned-numbers database for these numbers: of equal ones about one date the newest.
select number, answer, asked_since, max(answered_at) as answered_at from registry_reassigned
where number = any($1::text[])
group by number, answer, asked_since
order by number, answered_at, asked_since;

-- name: registry_check
-- Tells which lists in force name one number.
select l.name from registry_blocks b
join registry_lists l on l.id = b.list_id and l.side = b.side
where b.npa = $1 and b.exchange = $2 and registry_has(b.bits, b.lines, b.thousands, $3::integer);

-- name: registry_list_add
-- Makes a list known; one that is known stays as it is.
insert into registry_lists (name, by_area) values ($1, $2) on conflict (name) do nothing;

-- name: registry_list
-- Finds a list with its version in force.
select l.id, l.name, l.by_area, l.side, l.load_id, d.as_of, d.numbers
from registry_lists l left join registry_loads d on d.id = l.load_id
where l.name = $1;

-- name: registry_lists_all
-- Lists all lists with their version in force.
select l.id, l.name, l.by_area, l.side, l.load_id, d.kind, d.account, d.as_of, d.loaded_at, d.loaded_by,
       (select sum(a.numbers)::bigint from registry_areas a where a.list_id = l.id) as total,
       (select count(*) from registry_areas a where a.list_id = l.id) as area_codes,
       (select min(a.as_of) from registry_areas a where a.list_id = l.id) as oldest
from registry_lists l left join registry_loads d on d.id = l.load_id
order by l.name;

-- name: registry_areas_of
-- Lists the area codes of a list.
select a.npa, a.load_id, a.as_of, a.numbers, d.account
from registry_areas a join registry_loads d on d.id = a.load_id
where a.list_id = $1 order by a.npa;

-- name: registry_last_download
-- Tells of when an account's newest download of a list is; null when there is none.
select max(as_of) from registry_loads where list_id = $1 and account = $2;

-- name: registry_last_changes
-- Tells of when the newest change list of each account is.
select account, max(as_of) as as_of from registry_loads
where list_id = $1 and kind = 'change' and account is not null group by account;

-- name: registry_turn
-- Takes the right to change a list; false while somebody else changes it.
select pg_try_advisory_lock(7204610, hashtext($1));

-- name: registry_turn_over
-- Gives the right to change a list back.
select pg_advisory_unlock(7204610, hashtext($1));

-- name: registry_empty_side_1
-- Empties the first side of the large lists; only when no list in force lies there.
truncate registry_blocks_1;

-- name: registry_empty_side_2
-- Empties the second side of the large lists; only when no list in force lies there.
truncate registry_blocks_2;

-- name: registry_side_in_use
-- Tells whether a list in force lies on a side.
select exists (select 1 from registry_lists where side = $1 and load_id is not null);

-- name: registry_unseen
-- Tells whether every transaction that might still see the former side is over: none runs on a snapshot that is
-- older than the swap.
select not exists (
    select 1 from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and age(backend_xmin) >= age($1::text::xid));

-- name: registry_short_wait
-- Gives up soon when a lock is taken, so that nobody queues behind this transaction for long.
set local lock_timeout = '2s';

-- name: registry_this_transaction
-- Names this transaction.
select pg_current_xact_id()::xid::text;

-- name: registry_stage
-- Makes the table into which a small list is read; it vanishes with the transaction.
create temp table registry_stage (
    npa smallint, exchange smallint, bits bytea, lines smallint[], thousands smallint
) on commit drop;

-- name: registry_remove_blocks
-- Takes a list's numbers away, of these area codes or (null) all.
delete from registry_blocks
where list_id = $1 and side = $2 and ($3::smallint[] is null or npa = any($3));

-- name: registry_move_stage
-- Puts the numbers that were read in place.
insert into registry_blocks (side, npa, exchange, list_id, bits, lines, thousands)
select 0, npa, exchange, $1, bits, lines, thousands from registry_stage order by npa, exchange;

-- name: registry_keep_areas
-- Takes the area codes that this load does not touch over from the former side.
insert into registry_blocks (side, npa, exchange, list_id, bits, lines, thousands)
select $3, npa, exchange, list_id, bits, lines, thousands from registry_blocks
where list_id = $1 and side = $2 and not (npa = any($4::smallint[]));

-- name: registry_record_load
-- Records a load and returns its number, which is the list's version.
insert into registry_loads (list_id, kind, account, as_of, loaded_at, loaded_by, files, numbers, added, removed)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id;

-- name: registry_drop_areas
-- Forgets area codes of a list that a full load no longer has.
delete from registry_areas where list_id = $1 and npa = any($2::smallint[]);

-- name: registry_set_areas
-- Records what the load brought per area code.
insert into registry_areas (list_id, npa, load_id, as_of, numbers)
select $1, w.npa, $2, $3, w.numbers from unnest($4::smallint[], $5::bigint[]) as w(npa, numbers)
on conflict (list_id, npa) do update
    set load_id = excluded.load_id, as_of = excluded.as_of, numbers = excluded.numbers;

-- name: registry_set_numbers
-- Records how many numbers area codes have after a change list that does not continue them: they stay as old.
update registry_areas a set numbers = w.numbers
from unnest($2::smallint[], $3::bigint[]) as w(npa, numbers)
where a.list_id = $1 and a.npa = w.npa;

-- name: registry_in_force
-- Puts a load in force: from this commit on every question is answered from it.
update registry_lists set side = $2, load_id = $3 where id = $1;

-- name: registry_blocks_of
-- Reads exchanges of a list.
select exchange, bits, lines, thousands,
       case when bits is not null then bit_count(bits)
            when lines is not null then cardinality(lines)
            else 1000 * bit_count(int2send(thousands)) end as numbers
from registry_blocks
where npa = $1 and exchange = any($2::smallint[]) and list_id = $3 and side = $4;

-- name: registry_put_block
-- Writes one exchange of a list.
insert into registry_blocks (side, npa, exchange, list_id, bits, lines, thousands)
values ($4, $1, $2, $3, $5, $6, $7)
on conflict (npa, exchange, list_id, side) do update
    set bits = excluded.bits, lines = excluded.lines, thousands = excluded.thousands;

-- name: registry_remove_block
-- Takes one exchange of a list away.
delete from registry_blocks where npa = $1 and exchange = $2 and list_id = $3 and side = $4;

-- name: registry_recount
-- Counts a list's numbers anew from its bits, per area code.
select b.npa, sum(case when b.bits is not null then bit_count(b.bits)
                       when b.lines is not null then cardinality(b.lines)
                       else 1000 * bit_count(int2send(b.thousands)) end)::bigint as numbers
from registry_blocks b join registry_lists l on l.id = b.list_id and l.side = b.side
where l.id = $1
group by b.npa order by b.npa;

-- name: registry_subscribe
-- Records a subscription.
insert into registry_subscriptions (list_id, member_id, account, area_codes, since, made_by)
values ($1, $2, $3, $4, $5, $6) returning id;

-- name: registry_unsubscribe
-- Ends a subscription; its record stays.
update registry_subscriptions set ended_at = $4
where list_id = $1 and account = $2 and member_id is not distinct from $3::bigint and ended_at is null;

-- name: registry_subscriptions_all
-- Lists the subscriptions in force, of one list or (null) all.
select s.id, l.name, s.account, s.area_codes, m.key as member, s.since, s.made_by
from registry_subscriptions s
join registry_lists l on l.id = s.list_id
left join members m on m.id = s.member_id
where s.ended_at is null and ($1::text is null or l.name = $1)
order by l.name, s.account, m.key;

-- name: registry_waive
-- Records why a list is not needed.
insert into registry_waivers (list_id, member_id, reason, since, made_by) values ($1, $2, $3, $4, $5);

-- name: registry_unwaive
-- Ends waivers of a list; their record stays.
update registry_waivers set ended_at = $3
where list_id = $1 and member_id is not distinct from $2::bigint and ended_at is null;

-- name: registry_waivers_all
-- Lists the waivers in force.
select l.name, m.key as member, v.reason, v.since, v.made_by
from registry_waivers v join registry_lists l on l.id = v.list_id left join members m on m.id = v.member_id
where v.ended_at is null order by l.name, m.key, v.id;

-- name: registry_take_answers
-- Takes answers of the reassigned-numbers database in; the same answer twice changes nothing.
insert into registry_reassigned (number, asked_since, answer, answered_at, file, taken_at)
select n, s, a, $4, $5, $6 from unnest($1::text[], $2::date[], $3::text[]) as w(n, s, a)
on conflict do nothing;

-- name: registry_requeue_stale
-- Makes contacts due again that waited for a fresh list or for an answer, and all whom several rules held: the gate looks
-- at them anew. Those that follow it need not look for the latter.
update queue set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
where state = 'held' and held_rule = any(array_append($1::text[], 'several'));

-- name: registry_requeue_freed
-- Makes contacts due again that a list held and that have a number which no list of the rule's own kinds names any more,
-- or that is called a landline again, whatever other lists name it: see the rules `registry`, `litigator` and `wireless`.
update queue q set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
where q.state = 'held' and q.held_rule = any($1::text[])
  and exists (
    select 1 from contact_numbers n
    cross join lateral (
        select coalesce(array_agg(l.name), '{}') as names, coalesce(array_agg(split_part(l.name, ':', 1)), '{}') as kinds
        from registry_blocks b join registry_lists l on l.id = b.list_id and l.side = b.side
        where b.npa = substr(n.number, 3, 3)::smallint and b.exchange = substr(n.number, 6, 3)::smallint
          and registry_has(b.bits, b.lines, b.thousands, substr(n.number, 9, 4)::integer)) on_list
    where n.contact_id = q.contact_id
      and case q.held_rule
              when 'registry' then not kinds && array['us_national', 'us_state', 'ca_dncl']
              when 'litigator' then not 'litigator' = any(kinds)
              when 'wireless' then not names && array['wireless', 'ported:to_wireless']
                                   or 'ported:to_wireline' = any(names)
          end);

-- name: registry_requeue_given_up
-- Makes contacts due again that were held for want of a consent and have a number that was given up: a new answer may
-- show that the consent is the present owner's.
update queue q set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
where q.state = 'held' and q.held_rule = any($1::text[])
  and exists (
    select 1 from contact_numbers n join registry_reassigned r on r.number = n.number
    where n.contact_id = q.contact_id and r.answer = 'yes');

-- name: registry_room
-- Lets this transaction sort and group a large contact list in memory.
set local work_mem = '192MB';

-- name: registry_scrub
-- Lists the numbers of a Member's contact list that lists in force name, with the names of those lists.
with wanted as materialized (
    select n.number, substr(n.number, 3, 3)::smallint as npa, substr(n.number, 6, 3)::smallint as exchange,
           substr(n.number, 9, 4)::integer as line
    from contact_numbers n join contacts c on c.id = n.contact_id
    join lists t on t.id = c.list_id join members m on m.id = c.member_id
    where m.key = $1 and t.name = $2
), exchanges as materialized (
    select npa, exchange, array_agg(line) as lines_wanted, array_agg(number) as numbers
    from wanted group by npa, exchange
)
select w.number, l.name
from exchanges e
join registry_blocks b on b.npa = e.npa and b.exchange = e.exchange
join registry_lists l on l.id = b.list_id and l.side = b.side
cross join lateral unnest(e.lines_wanted, e.numbers) as w(line, number)
where registry_has(b.bits, b.lines, b.thousands, w.line);
