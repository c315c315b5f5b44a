-- Which numbers one Member may not call, of tens of millions that nobody may: asked at each start of those who left the
-- settings.
create index suppressions_of_member on suppressions (member_id) where member_id is not null;
