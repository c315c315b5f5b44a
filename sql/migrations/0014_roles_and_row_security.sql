-- Who may do what: the engine's role, the role of a Member's session, and row security by Member.
--
-- The owner (who runs this) keeps every right. Roles belong to the whole server, so they may be there already.
-- The engine can become a Member's session and has none of its rights before (noinherit).

do $$
begin
    if not exists (select from pg_roles where rolname = 'dialer_engine') then
        create role dialer_engine nologin noinherit;
    end if;
    if not exists (select from pg_roles where rolname = 'dialer_member') then
        create role dialer_member nologin;
    end if;
    if not pg_has_role('dialer_engine', 'dialer_member', 'member') then
        grant dialer_member to dialer_engine;
    end if;
    -- Roles with CREATEROLE hold what they made without being able to become it (PostgreSQL 16).
    if not exists (select from pg_roles where rolname = current_user and rolsuper) then
        begin
            execute format('grant dialer_engine to %I', current_user);
        exception when insufficient_privilege then
            if not pg_has_role(current_user, 'dialer_engine', 'member') then
                raise;
            end if;
        end;
    end if;
exception when insufficient_privilege then
    raise exception using errcode = 'insufficient_privilege', message = format(
        '%s may not make the roles; an administrator of the server must run once: '
        'CREATE ROLE dialer_engine NOLOGIN NOINHERIT; CREATE ROLE dialer_member NOLOGIN; '
        'GRANT dialer_member TO dialer_engine; GRANT dialer_engine TO %s;', current_user, quote_ident(current_user));
end
$$;

-- Before PostgreSQL 15 everybody may make tables here.
do $$
begin
    execute format('revoke create on schema %I from public', current_schema());
end
$$;

-- --- the engine's rights ----------------------------------------------------------------------------------------

-- What it decides from.
grant select on migrations, agents, consents, emergency_stops, imports, registry_lists, registry_loads, registry_areas,
    registry_blocks, registry_subscriptions, registry_waivers, registry_reassigned, cdr_export, ledger_calls
    to dialer_engine;
-- Records: only ever added.
grant select, insert on attempt_events, cdrs, dispositions, suppression_log, opt_outs, consent_revocations, rule_sets,
    prompts, agent_states, pacing_minutes, lists to dialer_engine;
grant insert on audit to dialer_engine;
-- What moves.
grant select, insert, update on members, campaigns, campaign_lists, queue, caller_id_use, leases, writers
    to dialer_engine;
grant select, insert, delete on suppressions to dialer_engine;
grant select, insert, update, delete on suppression_journals, suppression_outbox, revocation_outbox to dialer_engine;
grant select, insert, update (ended_at, end_reason) on agent_sessions to dialer_engine;
-- An attempt's verdict, number and place are never touched again.
grant select, insert, update (epoch, state, originated_at, ringing_at, answered_at, message_at, joined_at, ended_at,
                              result, agent_id, version, counted) on attempts to dialer_engine;
-- Locking a row needs the right to change a column of it.
grant select, update (row_number) on contacts to dialer_engine;
grant select on contact_numbers to dialer_engine;
-- A table of a later migration can be read and added to; what else the engine needs, that migration grants.
alter default privileges grant select, insert on tables to dialer_engine;

-- Lets the engine log in by a password, which stands in no statement (the embedded server).
create function engine_login(password text) returns void language plpgsql as $$
begin
    execute format('alter role dialer_engine login password %L', password);
end
$$;
revoke execute on function engine_login(text) from public;

-- --- whose session it is ----------------------------------------------------------------------------------------

-- With it open_member seals the setting, so that nobody else can name a Member.
create table member_seal (secret text not null);
insert into member_seal select gen_random_uuid()::text || gen_random_uuid()::text;
revoke all on member_seal from dialer_engine;

-- Good for one Member in one transaction of one session.
create function member_sealed(member text) returns text language sql stable security definer parallel restricted as $$
    select member || ':' || encode(sha256(convert_to(
        concat_ws(':', secret, pg_backend_pid(), extract(epoch from transaction_timestamp()), member, secret),
        'UTF8')), 'hex')
    from member_seal
$$;

-- The Member whose session this is; null when there is none, and nobody's rows are seen then.
create function dialer_member() returns bigint language plpgsql stable security definer parallel restricted as $$
declare
    given text := current_setting('dialer.member', true);
    member text := split_part(given, ':', 1);
begin
    if given is null or given = '' or given is distinct from member_sealed(member) then
        return null;
    end if;
    return member::bigint;
end
$$;

create function open_member(member bigint) returns void language plpgsql security definer as $$
begin
    if not exists (select from members where id = member) then
        raise exception 'no Member has the id %', member using errcode = 'no_data_found';
    end if;
    perform set_config('dialer.member', member_sealed(member::text), true);
end
$$;

revoke execute on function member_sealed(text), open_member(bigint) from public;
grant execute on function open_member(bigint) to dialer_engine;

-- Nobody's temporary table stands in for the seal's.
do $$
declare
    safe text := format('set search_path = pg_catalog, %I, pg_temp', current_schema());
begin
    execute 'alter function member_sealed(text) ' || safe;
    execute 'alter function dialer_member() ' || safe;
    execute 'alter function open_member(bigint) ' || safe;
end
$$;

-- --- row security -----------------------------------------------------------------------------------------------

-- Fences a table: owner and engine serve all Members, a Member's session sees `seen` and writes `written`.
create function fence(fenced regclass, seen text, written text default null) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', fenced);
    execute format('alter table %s force row level security', fenced);
    execute format('create policy owner_serves_all on %s to %I using (true)', fenced, current_user);
    execute format('create policy engine_serves_all on %s to dialer_engine using (true)', fenced);
    execute format('create policy member_own_rows on %s to dialer_member using (%s) with check (%s)',
                   fenced, seen, coalesce(written, seen));
end
$$;
revoke execute on function fence(regclass, text, text) from public;

select fence('members', 'id = (select dialer_member())');
select fence(t, 'member_id = (select dialer_member())')
from unnest(array['lists', 'campaigns', 'agents', 'attempts', 'cdrs', 'suppressions', 'suppression_log', 'opt_outs',
                  'consents', 'registry_subscriptions', 'registry_waivers']::regclass[]) as t;
-- What is written must hang on something of one's own: foreign keys do not ask whose it is.
select fence('imports', 'member_id = (select dialer_member())',
    'member_id = (select dialer_member()) and exists (select from lists l where l.id = list_id)');
select fence('contacts', 'member_id = (select dialer_member())',
    'member_id = (select dialer_member()) and exists (select from lists l where l.id = list_id) '
    'and exists (select from imports i where i.id = import_id)');
select fence('contact_numbers', 'member_id = (select dialer_member())',
    'member_id = (select dialer_member()) and exists (select from contacts c where c.id = contact_id)');
-- Rows that belong to a Member through another row, which the same session must be able to see.
select fence('campaign_lists', 'exists (select from campaigns c where c.id = campaign_id)',
    'exists (select from campaigns c where c.id = campaign_id) and exists (select from lists l where l.id = list_id)');
select fence('queue', 'exists (select from campaigns c where c.id = campaign_id)',
    'exists (select from campaigns c where c.id = campaign_id) '
    'and exists (select from contacts c where c.id = contact_id)');
select fence(t, 'exists (select from campaigns c where c.id = campaign_id)')
from unnest(array['caller_id_use', 'pacing_minutes']::regclass[]) as t;
select fence(t, 'exists (select from attempts a where a.id = attempt_id)')
from unnest(array['attempt_events', 'dispositions']::regclass[]) as t;
select fence(t, 'exists (select from agents a where a.id = agent_id)')
from unnest(array['agent_sessions', 'agent_states']::regclass[]) as t;
select fence('consent_revocations', 'exists (select from consents c where c.id = consent_id)');

-- A Member's session: its lists are its own business; calls and do-not-call entries are the engine's.
grant select on members, campaigns, campaign_lists, queue, caller_id_use, pacing_minutes, attempts, attempt_events, cdrs,
    dispositions, agent_sessions, agent_states, suppressions, suppression_log, opt_outs, consents, consent_revocations,
    registry_subscriptions, registry_waivers to dialer_member;
grant select (id, member_id, name, created_at, removed_at) on agents to dialer_member;
grant select, insert, update, delete on lists, contacts, contact_numbers to dialer_member;
grant select, insert, update on imports to dialer_member;
