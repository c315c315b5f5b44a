-- Persons whose numbers stand on several contacts, and the settings under which a campaign's contacts were held.

-- What a row of a file named, where its numbers belong to several contacts: a number stands on one contact of a Member
-- only, and what binds it to the others would be lost without this. The numbers of one row are one person's.
create table person_links (
    import_id  bigint not null references imports on delete cascade,
    row_number bigint not null,
    member_id  bigint not null references members,
    number     text not null check (number ~ '^\+1[2-9][0-9]{2}[2-9][0-9]{6}$'),
    primary key (member_id, number, import_id, row_number)
);
create index person_links_of_row on person_links (import_id, row_number);
create index person_links_of_number on person_links (number);

-- All numbers of the persons who have one of these numbers, of one Member or (null) of every Member: what stands on
-- one contact or in one row is one person's, and so on from there: the nearest 40 for each given number, so that a
-- file whose every row shares a number with the next one does not stop the calls. (PL/pgSQL keeps the planner from taking it apart: it
-- would expect thousands of numbers and read whole tables.)
create function persons_numbers(given text[], member bigint default null)
returns table (member_id bigint, number text) language plpgsql stable rows 10 as $$
#variable_conflict use_column
begin
    return query
    with recursive person(member_id, number) as (
        (select n.member_id, n.number from contact_numbers n
         where n.number = any(given) and (member is null or n.member_id = member)
         union
         select l.member_id, l.number from person_links l
         where l.number = any(given) and (member is null or l.member_id = member))
        union
        select p.member_id, x.number
        from person p
        cross join lateral (
            select o.number from contact_numbers n join contact_numbers o on o.contact_id = n.contact_id
            where n.member_id = p.member_id and n.number = p.number
            union all
            select o.number
            from person_links l join person_links o on o.import_id = l.import_id and o.row_number = l.row_number
            where l.member_id = p.member_id and l.number = p.number) x
    )
    select p.member_id, p.number from person p limit 40 * cardinality(given);
end
$$;

-- Whether a row still says something: its own contact is here, or two of its numbers stand on contacts.
create function row_binds(import_of bigint, row_of bigint) returns boolean language sql stable as $$
    select coalesce(bool_or(c.import_id = import_of and c.row_number = row_of), false) or count(distinct c.id) > 1
    from person_links l
    join contact_numbers n on n.member_id = l.member_id and n.number = l.number
    join contacts c on c.id = n.contact_id
    where l.import_id = import_of and l.row_number = row_of
$$;

select fence('person_links', 'member_id = (select dialer_member())',
    'member_id = (select dialer_member()) and exists (select from imports i where i.id = import_id)');
grant select, insert, delete on person_links to dialer_member;

-- Other settings, other verdicts: what was held under other ones than these is looked at again. Null: not known.
alter table campaigns add column held_under text;
