-- All times are microseconds since 1970 (UTC).
create table schedules (
    tenant text not null,
    name text not null,
    chain text not null,
    input text not null, -- JSON
    document text not null, -- JSON: the schedule
    state text not null check (state in ('active', 'paused')),
    seen integer not null, -- all firings up to here are decided
    due_at integer, -- when to look again; null if never
    next_at integer, -- the next firing, for people to see
    last_at integer, -- the last firing that was started
    failures integer not null default 0, -- since the last start that was acknowledged
    failure text, -- the latest
    dropped integer not null default 0, -- firings that the policies did not start
    primary key (tenant, name)
) without rowid, strict;

create index schedules_due on schedules (due_at) where state = 'active' and due_at is not null;

-- A firing: queued, then pending, started when its run is acknowledged, and over.
create table firings (
    tenant text not null,
    name text not null,
    at integer not null,
    key text not null unique,
    state text not null check (state in ('queued', 'pending', 'started', 'over', 'failed')),
    leased_until integer not null default 0, -- until then one process has it
    cancel integer not null default 0, -- 1: its run is to be cancelled
    run text,
    primary key (tenant, name, at),
    foreign key (tenant, name) references schedules (tenant, name) on delete cascade
) without rowid, strict;

create index firings_pending on firings (leased_until) where state = 'pending';
create index firings_open on firings (tenant, name) where state in ('queued', 'pending', 'started');
