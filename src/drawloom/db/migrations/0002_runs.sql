-- Runs that other runs start, starts that happen once, and runs that wait their turn.
alter table plans add column children text not null default '{}'; -- JSON: chain -> its plan
alter table runs add column parent integer; -- the number of the run that started it
alter table runs add column parent_call text; -- the call of that run which it answers
alter table runs add column start_key text; -- of one chain, used once
alter table runs add column input_digest blob; -- beside a start key: of what it began with

create unique index runs_by_key on runs (chain, start_key) where start_key is not null;
create index runs_by_parent on runs (parent) where parent is not null;

-- Not over: queued, running, waiting (for somebody outside), unknown.
drop index runs_open;
create index runs_open on runs (number)
where status in ('queued', 'running', 'waiting', 'unknown');
