-- name: bench_sessions
-- Counts the sessions of others at the server: those of the engine, where nobody else works.
select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid();
