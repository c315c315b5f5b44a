-- name: evidence_attempts
-- Lists the call-detail records of a number ($1) or campaign ($2), reserved from $3 on and before $4.
select e.* from cdr_export e
where ($1::text is null or e.called_number = $1) and ($2::bigint is null or e.campaign_id = $2)
  and e.reserved_at >= $3 and e.reserved_at < $4
order by e.reserved_at, e.attempt_id;

-- name: evidence_verdicts
-- Lists what the gate decided on for each attempt: its clock, the local time used, versions of rules and lists.
select a.id as attempt_id, a.number, a.gate_at, a.local_time, a.zone, a.rule_versions, a.list_versions, a.reserved_at,
       a.state, a.result
from attempts a
where ($1::text is null or a.number = $1) and ($2::bigint is null or a.campaign_id = $2)
  and a.reserved_at >= $3 and a.reserved_at < $4
order by a.reserved_at, a.id;

-- name: evidence_events
-- Lists everything that happened to the attempts, in order.
select e.attempt_id, e.number as event, e.kind, e.at, e.data
from attempts a join attempt_events e on e.attempt_id = a.id
where ($1::text is null or a.number = $1) and ($2::bigint is null or a.campaign_id = $2)
  and a.reserved_at >= $3 and a.reserved_at < $4
order by a.reserved_at, a.id, e.number;

-- name: evidence_dispositions
-- Lists every disposition of the attempts, also those that were corrected later.
select d.attempt_id, d.code, d.label, d.given_by, d.person, d.at
from attempts a join dispositions d on d.attempt_id = a.id
where ($1::text is null or a.number = $1) and ($2::bigint is null or a.campaign_id = $2)
  and a.reserved_at >= $3 and a.reserved_at < $4
order by d.at, d.id;

-- name: evidence_suppressions
-- Lists the do-not-call entries in force for the number, or for the numbers the campaign called.
select s.number, m.key as member, s.source, s.since, s.note
from suppressions s left join members m on m.id = s.member_id
where s.number = $1
   or ($1::text is null and s.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by s.number, s.since, s.id;

-- name: evidence_suppression_log
-- Lists every change of those entries.
select l.number, l.action, m.key as member, l.source, l.at, l.who, l.note, l.token
from suppression_log l left join members m on m.id = l.member_id
where l.number = $1
   or ($1::text is null and l.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by l.id;

-- name: evidence_consents
-- Lists the consents and relationships of those numbers with their evidence, and how they ended.
select c.id, m.key as member, c.number, c.kind, c.since, c.source, c.purpose, c.text_shown, c.evidence, c.person,
       c.recorded_at, c.recorded_by, r.at as revoked_at, r.channel as revoked_by_channel, r.who as revoked_by,
       r.note as revoked_note
from consents c
join members m on m.id = c.member_id
left join consent_revocations r on r.consent_id = c.id
where c.number = $1
   or ($1::text is null and c.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by c.number, c.since, c.id;

-- name: evidence_list_versions
-- Lists what was loaded of every outside list before $4: its account, dates, files and row counts.
select l.name as list, v.id as version, v.kind, v.account, v.as_of, v.loaded_at, v.loaded_by, v.files, v.numbers,
       v.added, v.removed
from registry_loads v join registry_lists l on l.id = v.list_id
where v.loaded_at < $4 and ($1::text is null or true) and ($2::bigint is null or true) and $3::timestamptz is not null
order by v.id;

-- name: evidence_reassigned
-- Lists the answers of the reassigned-numbers database for those numbers.
select r.number, r.asked_since, r.answer, r.answered_at, r.file, r.taken_at
from registry_reassigned r
where r.number = $1
   or ($1::text is null and r.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by r.number, r.answered_at, r.asked_since;

-- name: evidence_rules
-- Lists the calling rules, word for word, in the versions the attempts were judged by.
select s.version, s.first_at, s.files
from rule_sets s
where s.version in (
    select a.rule_versions from attempts a
    where ($1::text is null or a.number = $1) and ($2::bigint is null or a.campaign_id = $2)
      and a.reserved_at >= $3 and a.reserved_at < $4)
order by s.first_at, s.version;

-- name: evidence_prompts
-- Lists the recordings and scripts that the attempts used.
select p.version, p.kind, p.content, p.file_name, p.first_at
from prompts p
where p.version in (
    select unnest(array[c.prompt_version, c.script_version]) from cdrs c
    where ($1::text is null or c.called_number = $1) and ($2::bigint is null or c.campaign_id = $2)
      and c.reserved_at >= $3 and c.reserved_at < $4)
order by p.first_at, p.version;

-- name: evidence_stops
-- Lists the emergency stops that were in force at some time of the span.
select region, reason, since, who, ended_at, ended_by, end_reason from emergency_stops
where since < $4 and coalesce(ended_at, 'infinity') >= $3
  and ($1::text is null or true) and ($2::bigint is null or true)
order by since, id;

-- name: evidence_audit
-- Lists who changed what in the span.
select at, who, action, object, detail from audit
where at >= $3 and at < $4 and ($1::text is null or true) and ($2::bigint is null or true)
order by at, id;

-- name: evidence_campaigns
-- Lists the campaigns the attempts belong to.
select distinct c.id, c.name from attempts a join campaigns c on c.id = a.campaign_id
where ($1::text is null or a.number = $1) and ($2::bigint is null or a.campaign_id = $2)
  and a.reserved_at >= $3 and a.reserved_at < $4
order by c.name;

-- name: evidence_lock
-- Lets packs be sealed one after the other.
select pg_advisory_xact_lock(7204604);

-- name: evidence_last
-- Returns the seal of the newest pack.
select head from evidence_packs order by id desc limit 1;

-- name: evidence_seal
-- Remembers a pack and its seal.
insert into evidence_packs (made_at, made_by, asked, records, head, previous) values ($1, $2, $3, $4, $5, $6)
returning id;

-- name: evidence_known
-- Tells when and by whom a pack with this seal was made.
select made_at, made_by, records, previous from evidence_packs where head = $1;
