-- name: member_open
-- Makes this transaction one Member's; only the engine's role can.
select open_member($1);

-- name: member_role
-- Puts all rights down but those of a Member, until the transaction ends.
set local role dialer_member;
