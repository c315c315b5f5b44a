-- Who was heard in a talk. Null where there was none, and in records from before this column.

alter table cdrs
    add column audio text check (audio in ('ok', 'none_from_customer', 'none_from_agent', 'none', 'unknown')),
    add check (audio is null or joined_at is not null);

drop view cdr_export;
create view cdr_export as
select c.*, d.code as disposition, d.label as disposition_label, d.given_by as disposition_by,
       d.at as disposition_at, d.person as live_person
from cdrs c
left join lateral (
    select code, label, given_by, at, person from dispositions where attempt_id = c.attempt_id
    order by id desc limit 1
) d on true;
revoke insert on cdr_export from dialer_engine;
grant select on cdr_export to dialer_engine;
