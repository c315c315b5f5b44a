-- name: attempts_lock
-- Locks the attempts a batch is about, in one order for everybody, and tells their epochs.
select id, epoch from attempts where id = any($1::uuid[]) order by id for no key update;

-- name: events_add
-- Adds events to the trail; one that stands there already is left as it is.
insert into attempt_events (attempt_id, number, kind, at, data, epoch)
select e.attempt_id, e.number, e.kind, e.at, e.data, $6
from unnest($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[], $5::jsonb[])
    as e(attempt_id, number, kind, at, data)
on conflict do nothing;

-- name: attempts_move
-- Brings live attempts to their newest state; events older than the row's version change nothing. The first time of
-- each kind stays, but a later one of ringing is the 180 that came after a 183.
update attempts a
set state = coalesce(m.state, a.state), version = m.version,
    originated_at = coalesce(a.originated_at, m.originated_at), ringing_at = coalesce(m.ringing_at, a.ringing_at),
    answered_at = coalesce(a.answered_at, m.answered_at), message_at = coalesce(a.message_at, m.message_at),
    joined_at = coalesce(a.joined_at, m.joined_at), agent_id = coalesce(m.agent_id, a.agent_id)
from unnest($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
            $7::timestamptz[], $8::timestamptz[], $9::bigint[])
    as m(id, version, state, originated_at, ringing_at, answered_at, message_at, joined_at, agent_id)
where a.id = m.id and a.ended_at is null and a.version < m.version;

-- name: attempts_end
-- Ends attempts, writes their call-detail records, frees their numbers and decides on their contacts. An
-- attempt that is ended already is left as it is, so it has exactly one record. The record says what was in force when
-- the attempt was reserved; without that (an engine from before), what the campaign and the ending engine say now, but a
-- called party other than a business contact is a consumer. Its agent is the last who talked: none without a join.
with e as (
    select * from unnest(
        $2::uuid[], $3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::integer[], $12::text[], $13::integer[],
        $14::text[], $15::bigint[], $16::text[], $17::text[], $18::boolean[], $19::timestamptz[], $20::boolean[],
        $21::boolean[], $22::text[]
    ) as e(attempt_id, number, result, ended_at, originated_at, ringing_at, answered_at, message_at, joined_at,
           cause, cause_text, sip_code, ended_by, agent_id, prompt_version, caller_id_name, used_prerecorded,
           retry_at, final, counted, audio)
), ended as (
    update attempts a
    set state = 'ended', result = e.result, ended_at = e.ended_at, version = e.number, counted = e.counted,
        originated_at = coalesce(e.originated_at, a.originated_at),
        ringing_at = coalesce(e.ringing_at, a.ringing_at),
        answered_at = coalesce(e.answered_at, a.answered_at),
        message_at = coalesce(e.message_at, a.message_at),
        joined_at = coalesce(e.joined_at, a.joined_at),
        agent_id = case when coalesce(e.joined_at, a.joined_at) is not null then coalesce(e.agent_id, a.agent_id) end
    from e
    where a.id = e.attempt_id and a.ended_at is null
    returning a.*, e.cause, e.cause_text, e.sip_code, e.ended_by, e.prompt_version, e.caller_id_name,
              e.used_prerecorded, e.retry_at, e.final, e.audio
), logged as (
    insert into attempt_events (attempt_id, number, kind, at, data, epoch)
    select t.id, t.version, 'ended', t.ended_at, jsonb_build_object('result', t.result, 'by', t.ended_by), $1
    from ended t
    on conflict do nothing
), recorded as (
    insert into cdrs (attempt_id, member_id, member, seller, offer, campaign_id, campaign, contact_id,
                      calling_number, called_number, caller_id_name, used_prerecorded, prompt_version, trunk, node,
                      agent_id, agent, reserved_at, originated_at, ringing_at, answered_at, message_at, joined_at,
                      ended_at, gate_at, local_time, zone, rule_versions, list_versions, result, cause, cause_text,
                      sip_code, ended_by, epoch, telemarketer, called_party, script_version, caller_id_proof, audio)
    select t.id, t.member_id, f.member, f.seller, f.offer, t.campaign_id, c.name, t.contact_id,
           t.caller_id, t.number, f.caller_id_name, t.used_prerecorded,
           case when t.used_prerecorded then f.prompt_version end, t.trunk, t.node,
           t.agent_id, g.name, t.reserved_at, t.originated_at, t.ringing_at, t.answered_at, t.message_at,
           t.joined_at, t.ended_at, t.gate_at, t.local_time, t.zone, t.rule_versions, t.list_versions, t.result,
           t.cause, t.cause_text, t.sip_code, t.ended_by, $1, f.telemarketer,
           case when o.business or f.called_party = 'business' then 'business' else 'consumer' end,
           f.script_version, f.caller_id_proof,
           case when t.joined_at is not null then coalesce(t.audio, 'unknown') end
    from ended t
    join members m on m.id = t.member_id
    join campaigns c on c.id = t.campaign_id
    join contacts o on o.id = t.contact_id
    left join agents g on g.id = t.agent_id
    cross join lateral (
        select member, seller, offer, telemarketer, script_version, caller_id_proof, prompt_version, caller_id_name,
               called_party
        from record_fields where version = t.record_version
        union all
        select m.name, c.seller, c.offer, coalesce(c.telemarketer, m.name), c.script_version, c.caller_id_proof,
               t.prompt_version, t.caller_id_name, null
        where t.record_version is null
    ) f
), decided as (
    -- A dead number ends the number, not the contact: another number that is not dead is tried next. An attempt that
    -- never left is no call: the one before it stays the last, and its retry delay is the one that counts.
    select t.campaign_id, t.contact_id, t.result, t.retry_at, t.final,
           t.result = 'cancelled' and t.originated_at is null as unsent,
           before.result as result_before, before.gate_at as at_before,
           t.result = 'trunk_fault' or t.result = 'cancelled' and t.originated_at is null as free,
           t.final and t.result = 'not_in_service' and exists (
               select 1 from contact_numbers n
               where n.contact_id = t.contact_id and n.id <> t.number_id and not exists (
                   select 1 from attempts o
                   where o.contact_id = t.contact_id and o.campaign_id = t.campaign_id
                     and o.number_id = n.id and o.result = 'not_in_service')) as other_number
    from ended t
    left join lateral (
        select o.result, o.gate_at from attempts o
        where t.result = 'cancelled' and t.originated_at is null and o.contact_id = t.contact_id
          and o.campaign_id = t.campaign_id and o.ended_at is not null and o.counted
        order by o.gate_at desc limit 1
    ) before on true
), requeued as (
    update queue q
    set state = case when q.final or (d.final and not d.other_number) then 'done' else 'due' end,
        next_at = case when q.final or (d.final and not d.other_number) then null
                       else coalesce(d.retry_at, '-infinity') end,
        final = q.final or (d.final and not d.other_number),
        tries = case when d.free then greatest(q.tries - 1, 0) else q.tries end,
        last_result = case when d.unsent then d.result_before else d.result end,
        last_attempt_at = case when d.unsent then d.at_before else q.last_attempt_at end,
        held_rule = case when q.final or d.final or d.retry_at is null then null else 'retry' end,
        held_reason = case when q.final or d.final or d.retry_at is null then null
                           else 'waits after ' || d.result end
    from decided d
    where q.campaign_id = d.campaign_id and q.contact_id = d.contact_id
)
select id from ended;

-- name: attempts_live
-- Lists attempts that have not ended, of one node or of all, with the agents who dialed by hand.
select a.id::text as attempt_id, a.campaign_id, c.name as campaign, a.member_id, a.contact_id, a.number_id, a.number, a.caller_id,
       a.trunk, a.node, a.epoch, a.state, a.local_time, a.reserved_at, a.originated_at, a.ringing_at, a.answered_at,
       a.message_at, a.joined_at, a.agent_id, g.name as agent,
       (select b.name from previews p join agents b on b.id = p.agent_id where p.attempt_id = a.id) as dialed_by,
       (select e.data ->> 'audio' from attempt_events e where e.attempt_id = a.id and e.kind = 'audiochecked'
        order by e.number desc limit 1) as audio,
       coalesce((select e.data ->> 'alerting' from attempt_events e where e.attempt_id = a.id and e.kind = 'ringing'
                 order by e.number desc limit 1) = 'False', false) as early,
       greatest(a.version, (select coalesce(max(e.number), 0) from attempt_events e where e.attempt_id = a.id))
           as last_event
from attempts a
join campaigns c on c.id = a.campaign_id
left join agents g on g.id = a.agent_id
where a.ended_at is null and ($1::text is null or a.node = $1)
order by a.reserved_at;

-- name: attempts_adopt
-- Takes live attempts over: an engine with a lower epoch can no longer write to them.
update attempts set epoch = $2 where id = any($1::uuid[]) and ended_at is null and epoch <= $2 returning id;

-- name: dispositions_add
-- Records what calls were in business terms; of an attempt that is not here, nothing.
insert into dispositions (attempt_id, code, label, given_by, at, person)
select d.attempt_id, d.code, d.label, d.given_by, d.at, d.person
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[])
    as d(attempt_id, code, label, given_by, at, person)
join attempts a on a.id = d.attempt_id
on conflict do nothing;

-- name: dispositions_decide
-- Lets dispositions decide about their contacts: finished, or due again at a moment of the gate's clock. A
-- contact that is live again only learns that it is finished; so does one about which something newer has decided,
-- another disposition of the same attempt or a later attempt. Otherwise it decides over the result of its own call.
-- Returns the attempts that are here, also those whose contact was taken out of its queue meanwhile.
with d as (
    select d.*, exists (
               select 1 from attempts l
               where l.campaign_id = a.campaign_id and l.contact_id = a.contact_id and l.reserved_at > a.reserved_at
           ) or (select count(*) from dispositions x where x.attempt_id = a.id) > 1 as old
    from unnest($1::uuid[], $2::boolean[], $3::timestamptz[], $4::text[])
        as d(attempt_id, final, retry_at, code)
    join attempts a on a.id = d.attempt_id
), decided as (
    update queue q
    set final = case when q.state = 'live' or d.old then q.final or d.final else d.final end,
        state = case when q.state = 'live' or d.old and not d.final then q.state when d.final then 'done' else 'due' end,
        next_at = case when q.state = 'live' or d.final then null when d.old then q.next_at
                       else coalesce(d.retry_at, '-infinity') end,
        held_rule = case when d.old and not d.final then q.held_rule
                         when q.state = 'live' or d.final or d.retry_at is null then null else 'retry' end,
        held_reason = case when d.old and not d.final then q.held_reason
                           when q.state = 'live' or d.final or d.retry_at is null then null
                           else 'waits after disposition ' || d.code end
    from d join attempts a on a.id = d.attempt_id
    where q.campaign_id = a.campaign_id and q.contact_id = a.contact_id
)
select attempt_id as id from d;

-- name: talks_without_disposition
-- Finds ended conversations of the last day that have no disposition, with the name that the campaign has now.
select c.attempt_id as id, k.name as campaign, coalesce(c.agent, '') as agent
from cdrs c join campaigns k on k.id = c.campaign_id
where c.node = $1 and c.joined_at is not null and c.reserved_at > now() - interval '1 day'
  and not exists (select 1 from dispositions d where d.attempt_id = c.attempt_id)
order by c.ended_at;
