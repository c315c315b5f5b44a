-- name: writer_begin
-- Makes a writer known that has written nothing yet; waits for a transaction of its own that is still under way.
insert into writers (id, written, at) values ($1, 0, now()) on conflict do nothing;

-- name: writer_advance
-- Locks a writer, notes that its records up to a number stand here, and tells up to which they stood before.
update writers w set written = greatest(w.written, $2), at = now()
from (select id, written from writers where id = $1 for update) before
where w.id = before.id
returning before.written;
