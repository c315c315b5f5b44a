-- What call records say that is not of the call itself, by version: an attempt names the version it was reserved under,
-- so that a reload changes no record of a call that is up, nor of an end that waits on disk.

create table record_fields (
    -- A digest of all that follows but first_at.
    version         uuid primary key,
    member_id       bigint not null references members,
    member          text not null,
    seller          text not null,
    offer           text,
    telemarketer    text not null,
    script_version  text references prompts,
    caller_id_proof text,
    prompt_version  text not null references prompts,
    caller_id_name  text,
    first_at        timestamptz not null
);
create trigger record_fields_are_final before update or delete or truncate on record_fields
    for each statement execute function refuse_change();

select fence('record_fields', 'member_id = (select dialer_member())');
grant select on record_fields to dialer_member;

-- Null for attempts of an engine from before, which may run beside this: their records say what the campaign says when
-- they end. Its attempts_end returns a.* beside columns such as prompt_version: one called like those would break it.
alter table attempts add column record_version uuid references record_fields;
