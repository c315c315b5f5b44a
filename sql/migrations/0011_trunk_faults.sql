-- Attempts that a trunk's fault ended: they charge no contact.

alter table cdrs drop constraint cdrs_result_check;
alter table cdrs add constraint cdrs_result_check check (result in
    ('bridged', 'abandoned', 'hung_up', 'no_answer', 'busy', 'congestion', 'not_in_service', 'rejected',
     'blocked', 'cancelled', 'failed', 'unknown', 'trunk_fault')) not valid;
-- Every row so far passed the narrower list, so there is nothing to validate but the catalogue's mark.
alter table cdrs validate constraint cdrs_result_check;

-- false: no phone can have rung, because the carrier (or our own Asterisk) refused the call outright, so the caps of
-- attempts per day do not count it. Whatever is doubtful counts.
alter table attempts add column counted boolean not null default true;
alter table attempts add check (counted or result = 'trunk_fault');
