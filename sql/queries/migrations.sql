-- name: migration_lock
-- Waits until no other program migrates this database.
select pg_advisory_lock(7204601);

-- name: migration_unlock
-- Lets the next one migrate.
select pg_advisory_unlock(7204601);

-- name: migration_table
-- Makes the table that remembers what was applied.
create table if not exists migrations (
    number     integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
);

-- name: migration_table_exists
-- Tells whether anything was ever applied here.
select to_regclass('migrations') is not null;

-- name: migrations_done
-- Lists what was applied.
select number, name, checksum from migrations order by number;

-- name: migration_record
-- Remembers one applied file.
insert into migrations (number, name, checksum) values ($1, $2, $3);

-- name: engine_login
-- Lets the engine log in with a password.
select engine_login($1);
