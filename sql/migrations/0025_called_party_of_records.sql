-- Whom a campaign says it calls, in what its call records say (16 CFR 310.5(a)(2)). Null in versions of an engine from
-- before, which did not know.

alter table record_fields add column called_party text check (called_party in ('consumer', 'business'));
