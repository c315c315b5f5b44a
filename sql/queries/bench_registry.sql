-- name: bench_registry_tables
-- Makes the tables that the bitmaps are compared with; only in a benchmark's own database.
create table bench_area (npa smallint primary key, bits bytea not null);
alter table bench_area alter column bits set storage external;
create table bench_number (number bigint not null);

-- name: bench_number_index
-- Makes the rows of single numbers findable.
alter table bench_number add primary key (number);

-- name: bench_settle
-- Lets the planner know what was loaded.
analyze registry_blocks; analyze contact_numbers; analyze contacts; analyze bench_area; analyze bench_number;

-- name: bench_blocks_bytes
-- Measures what the registry takes, with its indexes.
select sum(pg_total_relation_size(t))::bigint
from unnest(array['registry_blocks_0', 'registry_blocks_1', 'registry_blocks_2', 'registry_areas']) as t;

-- name: bench_table_bytes
-- Measures what a table takes, with its indexes and long values.
select pg_total_relation_size($1::text::regclass);

-- name: bench_nothing
-- Does nothing: what a question costs without its answer.
select 1;

-- name: bench_area_put
-- Writes an area code as one row.
insert into bench_area (npa, bits) values ($1, $2);

-- name: bench_area_check
-- Asks one bit of an area code's row.
select get_bit(substring(bits from $2::integer / 8 + 1 for 1), $2::integer % 8) from bench_area where npa = $1;

-- name: bench_area_scrub
-- Counts the contacts that the area codes' rows name.
select count(*) from contact_numbers n join bench_area a on a.npa = substr(n.number, 3, 3)::smallint
where get_bit(substring(a.bits from substr(n.number, 6)::integer / 8 + 1 for 1), substr(n.number, 6)::integer % 8) = 1;

-- name: bench_number_check
-- Looks one number up.
select 1 from bench_number where number = $1;

-- name: bench_number_scrub
-- Counts the contacts that the rows of single numbers name.
select count(*) from contact_numbers n join bench_number b on b.number = substr(n.number, 3)::bigint;

-- name: bench_contacts
-- Makes a Member with one contact per number.
with member as (
    insert into members (key, name, callback_number) values ('bench', 'Bench', '+12105550199') returning id
), list as (
    insert into lists (member_id, name) select id, 'bench' from member returning id, member_id
), imported as (
    insert into imports (list_id, member_id, file_name, imported_at, imported_by, mapping, rows_read, contacts, numbers,
                         rejected)
    select id, member_id, 'bench', now(), 'bench', '{}', 0, 0, 0, 0 from list returning id, list_id, member_id
), made as (
    insert into contacts (member_id, list_id, import_id, row_number)
    select i.member_id, i.list_id, i.id, n from imported i, generate_series(1, cardinality($1::text[])) n
    returning id, member_id, row_number
)
insert into contact_numbers (contact_id, member_id, number, position)
select m.id, m.member_id, w.number, 0
from made m join unnest($1::text[]) with ordinality as w(number, place) on w.place = m.row_number;
