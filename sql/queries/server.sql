-- name: sign_of_life
-- Asks whether the server answers.
select 1;

-- name: server_version
-- Tells the server's version as people write it.
show server_version;

-- name: login_may_alter_records
-- Tells whether this login could take away what is on record, as the owner can.
select has_table_privilege('cdrs', 'delete');
