-- A pause that an agent asked for in a talk or wrap-up, which follows it: after a restart of the engine it is still wanted.

alter table agent_states add column pause_wanted boolean not null default false;
