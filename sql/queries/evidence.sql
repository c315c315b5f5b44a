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
-- Lists the do-not-call entries in force for the number, or those for the numbers the campaign called that hold for
-- everybody or for the Members it called for.
with ours as (
    select distinct member_id from attempts where campaign_id = $2 and reserved_at >= $3 and reserved_at < $4)
select s.number, m.key as member, s.source, s.since, s.note
from suppressions s left join members m on m.id = s.member_id
where s.number = $1
   or ($1::text is null and (s.member_id is null or s.member_id in (select member_id from ours)) and s.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by s.number, s.since, s.id;

-- name: evidence_suppression_log
-- Lists every change of those entries.
with ours as (
    select distinct member_id from attempts where campaign_id = $2 and reserved_at >= $3 and reserved_at < $4)
select l.number, l.action, m.key as member, l.source, l.at, l.who, l.note, l.token
from suppression_log l left join members m on m.id = l.member_id
where l.number = $1
   or ($1::text is null and (l.member_id is null or l.member_id in (select member_id from ours)) and l.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by l.id;

-- name: evidence_consents
-- Lists the consents and relationships of those numbers with their evidence, and how they ended; a campaign's are those
-- given to the Members it called for.
with ours as (
    select distinct member_id from attempts where campaign_id = $2 and reserved_at >= $3 and reserved_at < $4)
select c.id, m.key as member, c.number, c.kind, c.since, c.source, c.purpose, c.text_shown, c.evidence, c.person,
       c.recorded_at, c.recorded_by, r.at as revoked_at, r.channel as revoked_by_channel, r.who as revoked_by,
       r.note as revoked_note
from consents c
join members m on m.id = c.member_id
left join consent_revocations r on r.consent_id = c.id
where c.number = $1
   or ($1::text is null and c.member_id in (select member_id from ours) and c.number in (
       select a.number from attempts a where a.campaign_id = $2 and a.reserved_at >= $3 and a.reserved_at < $4))
order by c.number, c.since, c.id;

-- name: evidence_list_versions
-- Lists what was loaded of every outside list before $4: its account, dates, files and row counts. For a campaign the
-- accounts, and the names of files, which may hold them, are shown when they are subscribed for everybody or the Members it
-- called for.
with ours as (
    select distinct member_id from attempts where campaign_id = $2 and reserved_at >= $3 and reserved_at < $4)
select l.name as list, v.id as version, v.kind, case when k.shown then v.account end as account, v.as_of, v.loaded_at,
       v.loaded_by,
       case when k.shown then v.files
            else (select coalesce(jsonb_agg(f - 'name'), '[]') from jsonb_array_elements(v.files) f) end as files,
       v.numbers, v.added, v.removed
from registry_loads v
join registry_lists l on l.id = v.list_id
cross join lateral (
    select $1::text is not null or v.account is null or exists (
        select from registry_subscriptions s
        where s.account = v.account and (s.member_id is null or s.member_id in (select member_id from ours))) as shown
) k
where v.loaded_at < $4
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
-- Lists who changed what in the span; for a campaign what is about it, the Members it called for, or everybody. Of loads
-- of lists the account is shown as in the list versions; what was refused may name any account and changed nothing.
with ours as (
    select distinct member_id from attempts where campaign_id = $2 and reserved_at >= $3 and reserved_at < $4)
select u.at, u.who, u.action, u.object,
       case when $1::text is not null or u.action not in ('registry.load', 'registry.change') or exists (
                select from registry_subscriptions s
                where s.account = u.detail ->> 'account'
                  and (s.member_id is null or s.member_id in (select member_id from ours)))
            then u.detail else u.detail - 'account' end as detail
from audit u
where u.at >= $3 and u.at < $4
  and ($1::text is not null or case
          when u.action in ('campaign state', 'campaign renamed') then u.object = $2::text
          when u.action = 'member renamed' then u.object in (select member_id::text from ours)
          when u.action = 'registry.refused' then false
          else u.detail ->> 'member_id' is null or u.detail ->> 'member_id' in (select member_id::text from ours) end)
order by u.at, u.id;

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
