-- A call that was cancelled before it left rang at nobody: it costs the contact no try and no part of a cap.

alter table attempts drop constraint attempts_check2;
alter table attempts add constraint attempts_uncounted
    check (counted or result = 'trunk_fault' or result = 'cancelled' and originated_at is null);
