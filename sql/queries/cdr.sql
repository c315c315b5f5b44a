-- name: cdr_export
-- Lists call-detail records with their dispositions, reserved from $1 on and before $2, oldest first. A record has the
-- names of its time; the campaign ($3) and the Member ($4) are found by those they have now.
select e.* from cdr_export e
where e.reserved_at >= $1 and e.reserved_at < $2
  and ($3::text is null or e.campaign_id = (select id from campaigns where name = $3))
  and ($4::text is null or e.member_id = (select id from members where key = $4))
order by e.reserved_at, e.attempt_id;

-- name: cdr_columns
-- Names the columns of an export, also when it has no row.
select * from cdr_export limit 0;
