-- name: number_consents
-- Lists a Member's consents and relationships of these numbers, with the moment of their revocation.
select c.number, c.kind, c.since, c.source, c.purpose, c.id, r.at as revoked_at
from consents c left join consent_revocations r on r.consent_id = c.id
where c.number = any($1::text[]) and c.member_id = $2
order by c.since;

-- name: consents_add
-- Records consents; those that stand already are left out.
insert into consents (member_id, number, kind, since, source, purpose, text_shown, evidence, person, recorded_at,
                      recorded_by)
select $1, c.number, c.kind, c.since, c.source, c.purpose, c.text_shown, c.evidence, c.person, $2, $3
from unnest($4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
    as c(number, kind, since, source, purpose, text_shown, evidence, person)
on conflict do nothing
returning id, number;

-- name: consents_of_number
-- Lists every consent of a number with its evidence and what became of it, newest first.
select c.id, m.key as member, c.number, c.kind, c.since, c.source, c.purpose, c.text_shown, c.evidence, c.person,
       c.recorded_at, c.recorded_by, r.at as revoked_at, r.channel as revoked_by_channel, r.who as revoked_by,
       r.note as revocation_note
from consents c
join members m on m.id = c.member_id
left join consent_revocations r on r.consent_id = c.id
where c.number = $1 and ($2::bigint is null or c.member_id = $2)
order by c.since desc, c.id desc;

-- name: consents_standing
-- Lists the consents of the persons with these numbers that still stand: to one Member, or (null) to all.
select c.id from consents c
where c.number in (select unnest($1::text[]) union select number from persons_numbers($1::text[], $2::bigint))
  and ($2::bigint is null or c.member_id = $2)
  and not exists (select from consent_revocations r where r.consent_id = c.id);

-- name: consents_standing_before
-- Lists those of them that are no newer than an entry of one of these numbers, for the Member or (null) for everybody.
with standing as materialized (
    select c.id, c.number, c.since from consents c
    where c.number in (select unnest($1::text[]) union select number from persons_numbers($1::text[], $2::bigint))
      and ($2::bigint is null or c.member_id = $2)
      and not exists (select from consent_revocations r where r.consent_id = c.id)
)
select distinct c.id
from standing c
cross join lateral (
    select c.number union select p.number from persons_numbers(array[c.number], $2::bigint) p
) n
join suppressions s on s.number = n.number and s.member_id is not distinct from $2::bigint and s.since >= c.since
where s.number = any($1::text[]);

-- name: consents_revoke
-- Revokes consents, and tells which of them still stood.
insert into consent_revocations (consent_id, at, channel, who, note)
select c, $2, $3, $4, $5 from unnest($1::bigint[]) as c order by c
on conflict do nothing
returning consent_id;

-- name: consents_revoke_asked
-- Revokes what persons agreed to until they asked not to be called: each to one Member, or (null) to all.
insert into consent_revocations (consent_id, at, channel, who, note)
select distinct on (c.id) c.id, o.at, o.channel, o.who, o.note
from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
    as o(number, member_id, at, channel, who, note)
cross join lateral (
    select o.number union select p.number from persons_numbers(array[o.number], o.member_id) p
) n
join consents c on c.number = n.number and (o.member_id is null or c.member_id = o.member_id) and c.since <= o.at
order by c.id, o.at
on conflict do nothing;

-- name: consents_revoke_older
-- Revokes consents that are no newer than what their persons asked: not to be called (but for entries of source $3,
-- which are nobody's word), or the end of another consent to the Member ($2). The log outlives an entry's removal.
with given as materialized (
    select id, number, since from consents where id = any($1::bigint[])
), person as materialized (
    select number from given
    union
    select p.number from persons_numbers((select array_agg(distinct number) from given)) p
), asked as materialized (
    select l.number, l.member_id, l.at, l.who, l.note,
           case when l.source like 'revoked by _%' then substr(l.source, length('revoked by ') + 1)
                when l.source = 'disposition' then 'agent'
                when l.who = 'called party' then 'key'
                else 'command' end as channel
    from person p join suppression_log l on l.number = p.number
    where l.action = 'add' and l.source <> $3 and (l.member_id is null or l.member_id = $2)
    union all
    select c.number, c.member_id, r.at, r.who, r.note, r.channel
    from person p
    join consents c on c.number = p.number and c.member_id = $2
    join consent_revocations r on r.consent_id = c.id
)
insert into consent_revocations (consent_id, at, channel, who, note)
select distinct on (c.id) c.id, o.at, o.channel, o.who, o.note
from asked o
cross join lateral (
    select o.number union select p.number from persons_numbers(array[o.number], o.member_id) p
) n
join given c on c.number = n.number and c.since <= o.at
order by c.id, o.at
on conflict do nothing
returning consent_id;

-- name: person_numbers
-- Lists all numbers of the persons that have one of these numbers: with one Member, or (null) with all.
select distinct number from persons_numbers($1::text[], $2::bigint) order by number;

-- name: requeue_after_consent
-- Lets contacts that were held for want of a consent, or by several rules, be looked at again.
update queue q set state = 'due', next_at = '-infinity', held_rule = null, held_reason = null
from contact_numbers n
where n.number = any($1::text[]) and n.member_id = $2 and q.contact_id = n.contact_id
  and q.state = 'held' and q.held_rule = any(array_append($3::text[], 'several'));
