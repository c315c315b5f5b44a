-- name: sign_of_life
-- Asks whether the server answers.
select 1;

-- name: server_version
-- Tells the server's version as people write it.
show server_version;
