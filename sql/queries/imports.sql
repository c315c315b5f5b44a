-- name: import_turn
-- Lets one import into a Member's lists work at a time, so that contact ids grow in order of commit.
select pg_advisory_xact_lock(7204604, $1);

-- name: import_stage
-- Makes the tables that a file is read into; they vanish with the transaction.
create temp table stage_contacts (
    row_number bigint, external_id text, first_name text, last_name text, company text, email text, street text,
    city text, state text, postal_code text, country text, regions text[], zones text[], postal_zones text[], extra jsonb,
    address_unread boolean,
    id bigint default nextval(pg_get_serial_sequence('contacts', 'id'))
) on commit drop;
create temp table stage_numbers (row_number bigint, position smallint, label text, number text) on commit drop;
create temp table stage_problems (row_number bigint, position smallint, reason text) on commit drop;
create temp table stage_lost (row_number bigint, position smallint, number text) on commit drop;
create temp table stage_links (row_number bigint, position smallint, number text, owner bigint) on commit drop;
create temp table stage_said (
    number text, state text, postal_code text, regions text[], zones text[], postal_zones text[]
) on commit drop;
create temp table stage_places (contact_id bigint, regions text[], zones text[], said jsonb) on commit drop;
create temp table stage_united (
    regions text[], zones text[], said jsonb, all_regions text[], all_zones text[]
) on commit drop;

-- name: import_analyze
-- Tells the planner how much was staged.
analyze stage_contacts; analyze stage_numbers; analyze stage_problems;

-- name: import_drop_repeated
-- Takes out numbers that stood earlier in the file.
with doubled as (
    select ctid, row_number, position,
           row_number() over (partition by number order by row_number, position) as turn
    from stage_numbers
), gone as (
    delete from stage_numbers n using doubled d where n.ctid = d.ctid and d.turn > 1
    returning n.row_number, n.position, n.number
), lost as (
    insert into stage_lost select row_number, position, number from gone
)
insert into stage_problems select row_number, position, 'stands earlier in this file' from gone;

-- name: import_drop_known
-- Takes out numbers that stand on one of the Member's lists already.
with gone as (
    delete from stage_numbers n using contact_numbers k
    where k.member_id = $1 and k.number = n.number
    returning n.row_number, n.position, n.number
), lost as (
    insert into stage_lost select row_number, position, number from gone
)
insert into stage_problems select row_number, position, 'stands on a list of this Member already' from gone;

-- name: import_places_keep
-- Keeps what rows say of the place that lose a number, before they go: it is a contact's that has the number.
insert into stage_said
select l.number, c.state, c.postal_code, c.regions, c.zones, c.postal_zones
from stage_lost l join stage_contacts c on c.row_number = l.row_number
where c.regions <> '{}' or c.zones <> '{}';

-- name: import_places_analyze
-- Tells the planner how much was kept.
analyze stage_said;

-- name: import_drop_unreachable
-- Takes out contacts without a number.
delete from stage_contacts c
where not exists (select 1 from stage_numbers n where n.row_number = c.row_number);

-- name: import_links_find
-- Finds rows that lost a number to another contact, with all their numbers and the contact that has each of them.
with named as (
    select row_number, position, number from stage_lost
    union all
    select n.row_number, n.position, n.number from stage_numbers n
    where n.row_number in (select row_number from stage_lost)
)
insert into stage_links
select d.row_number, d.position, d.number, coalesce(k.contact_id, c.id)
from named d
left join contact_numbers k on k.member_id = $1 and k.number = d.number
left join stage_numbers s on s.number = d.number
left join stage_contacts c on c.row_number = s.row_number
where d.row_number in (select row_number from named group by row_number having count(*) > 1);

-- name: import_links_analyze
-- Tells the planner how much was found.
analyze stage_links;

-- name: import_links_drop_lone
-- Takes out rows whose numbers all stand on one contact: that binds them already.
delete from stage_links where row_number in (
    select row_number from stage_links group by row_number having count(distinct owner) < 2);

-- name: import_links_drop_shared
-- Takes out numbers that rows name beside more than $2 others: a switchboard's or an office's, no person's.
with pairs as (
    select a.number, b.number as other
    from stage_links a join stage_links b on b.row_number = a.row_number and b.number <> a.number
    union
    select l.number, m.number
    from person_links l join person_links m on m.import_id = l.import_id and m.row_number = l.row_number
    where l.member_id = $1 and l.number in (select number from stage_links) and m.number <> l.number
), gone as (
    delete from stage_links
    where number in (select number from pairs group by number having count(*) > $2)
    returning row_number, position
)
update stage_problems p set reason = p.reason || ', beside many other numbers: not taken for a person''s own'
from gone g where p.row_number = g.row_number and p.position = g.position;

-- name: import_links_drop_known
-- Takes out rows that tell nothing new: another row, whose contact is here, named all these numbers before.
with wanted as (
    select row_number, number, count(*) over (partition by row_number) as size from stage_links
), covered as (
    select w.row_number, l.import_id, l.row_number as by_row
    from wanted w join person_links l on l.member_id = $1 and l.number = w.number
    group by w.row_number, l.import_id, l.row_number
    having count(*) = min(w.size)
)
delete from stage_links g using covered v
where g.row_number = v.row_number and exists (
    select 1 from person_links o
    join contact_numbers n on n.member_id = o.member_id and n.number = o.number
    join contacts c on c.id = n.contact_id
    where o.import_id = v.import_id and o.row_number = v.by_row
      and c.import_id = v.import_id and c.row_number = v.by_row);

-- name: import_links_explain
-- Says of rejected rows that their numbers bind contacts together.
insert into stage_problems
select distinct g.row_number, 0, 'its numbers count as one person''s now' from stage_links g
where not exists (select 1 from stage_contacts c where c.row_number = g.row_number);

-- name: import_links_keep
-- Keeps what these rows named together: their numbers are one person's, on whichever contact they stand.
insert into person_links (import_id, row_number, member_id, number)
select $1, row_number, $2, number from stage_links;

-- name: import_links_told
-- Counts the rows that bind contacts together and lists the first of them.
select count(*) as n, coalesce((array_agg(row_number order by row_number))[:$1], '{}') as first
from (select distinct row_number from stage_links) g;

-- name: import_record
-- Records the import and returns its id.
insert into imports (list_id, member_id, file_name, imported_at, imported_by, mapping, rows_read, contacts, numbers,
                     rejected, first_id, last_id)
select $1, $2, $3, $4, $5, $6, $7, count(*), (select count(*) from stage_numbers), $7 - count(*), min(id), max(id)
from stage_contacts
returning id, contacts, numbers, rejected;

-- name: import_contacts
-- Moves the staged contacts to the list, in the order of the file.
insert into contacts (id, member_id, list_id, import_id, row_number, external_id, first_name, last_name, company,
                      email, street, city, state, postal_code, country, regions, zones, extra)
select id, $1, $2, $3, row_number, external_id, first_name, last_name, company, email, street, city, state,
       postal_code, country, regions, zones, extra
from stage_contacts order by id;

-- name: import_numbers
-- Moves the staged numbers to their contacts.
insert into contact_numbers (contact_id, member_id, number, label, position)
select c.id, $1, n.number, n.label, n.position
from stage_numbers n join stage_contacts c on c.row_number = n.row_number
order by c.id, n.position;

-- name: import_places_find
-- Finds contacts of whom rows say another place than is known, with all that they say. Where it is the same address,
-- kept without the zones of its postal code by an older version, these stand third.
insert into stage_places
select c.id, c.regions, c.zones, jsonb_agg(distinct jsonb_build_array(s.regions, s.zones,
    case when c.zones = '{}' and c.regions = s.regions and c.postal_code = s.postal_code
              and c.state is not distinct from s.state
         then s.postal_zones else '{}' end))
from stage_said s
join contact_numbers n on n.member_id = $1 and n.number = s.number
join contacts c on c.id = n.contact_id and c.member_id = $1
where c.regions <> s.regions or c.zones <> s.zones
group by c.id;

-- name: import_places_kinds
-- Lists what differs among them: there are far fewer addresses than contacts.
select distinct regions, zones, said::text as said from stage_places;

-- name: import_places_settle
-- Tells the planner how much was found.
analyze stage_places; analyze stage_united;

-- name: import_places_unite
-- Gives these contacts every place that was said of them.
update contacts c set regions = u.all_regions, zones = u.all_zones
from stage_places p join stage_united u on u.regions = p.regions and u.zones = p.zones and u.said = p.said
where c.id = p.contact_id and c.member_id = $1;

-- name: import_places_requeue
-- Lets those of them be looked at again whose place was unknown, perhaps for one number of several. What other rules
-- forbid, a further place never allows.
update queue q set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
from stage_places p join stage_united u on u.regions = p.regions and u.zones = p.zones and u.said = p.said
where q.contact_id = p.contact_id and q.state = 'held' and q.held_rule in ('zone_data', 'several');

-- name: import_reasons
-- Counts the reasons of rejected rows.
select reason, count(*) as n from (
    select row_number, string_agg(distinct reason, '; ') as reason from stage_problems p
    where not exists (select 1 from stage_contacts c where c.row_number = p.row_number)
    group by row_number
) r group by reason order by n desc, reason;

-- name: import_numbers_left_out
-- Counts the reasons why numbers of accepted rows were left out.
select p.reason, count(*) as n from stage_problems p
join stage_contacts c on c.row_number = p.row_number
group by p.reason order by n desc, p.reason;

-- name: import_addresses_unread
-- Counts the contacts of whose address something was not understood.
select count(*) from stage_contacts where address_unread;

-- name: import_rejected_rows
-- Lists the rejected rows in the order of the file with their reasons.
select row_number, string_agg(distinct reason, '; ') as reason from stage_problems p
where not exists (select 1 from stage_contacts c where c.row_number = p.row_number)
group by row_number order by row_number;

-- name: lists_all
-- Lists the lists with their size and last import.
select m.key as member, l.name as list,
       (select count(*) from contacts c where c.list_id = l.id) as contacts,
       (select max(i.id) from imports i where i.list_id = l.id and i.undone_at is null) as last_import,
       (select max(i.imported_at) from imports i where i.list_id = l.id and i.undone_at is null) as imported_at
from lists l join members m on m.id = l.member_id
where $1::text is null or m.key = $1
order by m.key, l.name;

-- name: undo_find
-- Finds an import by id, or a list's newest that was not undone; Member and list, where given, must be its own.
select i.id, i.list_id, i.member_id, i.first_id, i.last_id, i.file_name, i.contacts, i.undone_at, l.name as list
from imports i join lists l on l.id = i.list_id join members m on m.id = i.member_id
where (i.id = $1 and ($2::text is null or m.key = $2) and ($3::text is null or l.name = $3))
   or ($1::bigint is null and m.key = $2 and l.name = $3 and i.undone_at is null)
order by i.id desc limit 1;

-- name: undo_stop_filling
-- Keeps campaigns from moving contacts of this list into their queues meanwhile.
select campaign_id from campaign_lists where list_id = $1 for update;

-- name: undo_lock_queue
-- Waits for reservations under way and keeps new ones out; the next statement sees whom they called.
select 1 from queue q join contacts c on c.id = q.contact_id
where c.id between $1 and $2 and c.import_id = $3
  and not exists (select 1 from attempts a where a.contact_id = c.id)
order by q.campaign_id, q.contact_id for update of q;

-- name: undo_unqueue
-- Takes the import's contacts out of the queues, except those that were called.
delete from queue q using contacts c
where c.id between $1 and $2 and c.import_id = $3 and q.contact_id = c.id
  and not exists (select 1 from attempts a where a.contact_id = c.id);

-- name: undo_called
-- Counts the import's contacts that were called: they stay, their records point to them.
select count(*) from contacts c
where c.id between $1 and $2 and c.import_id = $3
  and exists (select 1 from attempts a where a.contact_id = c.id);

-- name: undo_delete
-- Removes the import's contacts, except those that were called.
delete from contacts c
where c.id between $1 and $2 and c.import_id = $3
  and not exists (select 1 from attempts a where a.contact_id = c.id);

-- name: undo_links
-- Forgets what this import's rows named together, except the rows of contacts that stay.
delete from person_links l
where l.import_id = $1 and not exists (
    select 1 from person_links o
    join contact_numbers n on n.member_id = o.member_id and n.number = o.number
    join contacts c on c.id = n.contact_id
    where o.import_id = l.import_id and o.row_number = l.row_number
      and c.import_id = l.import_id and c.row_number = l.row_number);

-- name: undo_record
-- Remembers who undid the import.
update imports set undone_at = $2, undone_by = $3 where id = $1;
