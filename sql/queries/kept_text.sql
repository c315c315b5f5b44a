-- name: prompt_keep
-- Keeps a version of a recording or script.
insert into prompts (version, kind, content, file_name, first_at) values ($1, $2, $3, $4, $5)
on conflict do nothing;

-- name: campaign_record_fields
-- Sets what a campaign writes into its call-detail records; nothing is written when it says the same already.
update campaigns set telemarketer = $2, script_version = $3, caller_id_proof = $4
where id = $1 and (telemarketer, script_version, caller_id_proof) is distinct from ($2, $3, $4);

-- name: record_fields_keep
-- Keeps a version of what call-detail records say.
insert into record_fields (version, member_id, member, seller, offer, telemarketer, script_version, caller_id_proof,
                           prompt_version, caller_id_name, called_party, first_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict do nothing;
