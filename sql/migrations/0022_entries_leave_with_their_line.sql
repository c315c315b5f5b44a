-- A do-not-call entry leaves only together with its line in the log, which no journal forgets.
--
-- The engine may delete entries, because it repeats from the journal what a restore lost, and it may add to the log. Asked
-- after the statement, so that one statement may do both. A line of this transaction is one that is not older than it.

create function suppression_leaves_logged() returns trigger language plpgsql as $$
declare
    told boolean;
begin
    select l.action = 'remove' and age(l.xmin) <= 0 into told
    from suppression_log l
    where l.number = old.number and l.member_id is not distinct from old.member_id and l.source = old.source
    order by l.id desc limit 1;
    if told is distinct from true then
        raise exception 'a do-not-call entry leaves only with its line in suppression_log; use: dialer dnc remove'
            using errcode = 'insufficient_privilege';
    end if;
    return null;
end
$$;
create trigger suppressions_leave_logged after delete on suppressions
    for each row execute function suppression_leaves_logged();
create trigger suppressions_stay_as_they_are before update or truncate on suppressions
    for each statement execute function refuse_change();

-- Nobody's temporary table stands in for the log.
do $$
begin
    execute format('alter function suppression_leaves_logged() set search_path = pg_catalog, %I, pg_temp',
                   current_schema());
end
$$;
