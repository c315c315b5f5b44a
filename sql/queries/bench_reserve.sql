-- name: bench_members
-- Makes a Member, a list and an import for the numbers of a benchmark, and returns their ids.
with member as (
    insert into members (key, name, callback_number) values ($1, $1, '+12105550199') returning id
), list as (
    insert into lists (member_id, name) select id, 'bench' from member returning id, member_id
), imported as (
    insert into imports (list_id, member_id, file_name, imported_at, imported_by, mapping, rows_read, contacts,
                         numbers, rejected)
    select id, member_id, 'bench', now(), 'bench', '{}', 0, 0, 0, 0 from list returning id, list_id, member_id
)
select member_id, list_id, id as import_id from imported;

-- name: bench_fill_contacts
-- Makes $4 contacts from place $5 on, each with one number of the area codes $6 and exchanges 200 to 200+$7.
with made as (
    insert into contacts (member_id, list_id, import_id, row_number)
    select $1, $2, $3, n from generate_series($5::bigint, $5::bigint + $4::bigint - 1) n
    returning id, member_id, row_number
)
insert into contact_numbers (contact_id, member_id, number)
select id, member_id, bench_number(row_number, $6::integer[], $7) from made;

-- name: bench_number_function
-- Makes a function from a place to a number: every place has another one, spread over all area codes.
create function bench_number(place bigint, codes integer[], exchanges integer) returns text
language sql immutable parallel safe
return '+1' || codes[1 + place % cardinality(codes)]
    || (200 + (place / cardinality(codes)) % exchanges)::text
    || lpad(((place / cardinality(codes) / exchanges * 167) % 10000)::text, 4, '0');

-- name: bench_suppress
-- Forbids every tenth number of $1 places from place $2 on.
insert into suppressions (number, source, since)
select bench_number(n, $3::integer[], $4), 'bench', now()
from generate_series($2::bigint + 3, $2::bigint + $1::bigint - 1, 10) n
on conflict do nothing;

-- name: bench_analyze
-- Lets the planner know what was loaded, and finishes what inserts left behind.
vacuum (analyze) contacts, contact_numbers, queue, suppressions, attempts, registry_blocks;

-- name: bench_settled
-- Brings to the disk what loading left behind, so that it is not written while something is measured.
checkpoint;
