-- Plans as they were when a run began: a run stays on the version it began with.
create table plans (
    digest text primary key,
    chain text not null,
    version text not null,
    document text not null, -- JSON
    effects text not null, -- JSON: tool -> effect, as recorded
    stored_at integer not null
) without rowid, strict;

create table runs (
    number integer primary key,
    id text not null unique,
    chain text not null,
    plan text not null references plans (digest),
    status text not null, -- running, unknown, succeeded, failed, cancelled
    started_at integer not null, -- microseconds since 1970 (UTC)
    ended_at integer,
    bindings text not null, -- JSON: slot -> connection
    output text, -- JSON
    refs text, -- JSON: where in the output payloads belong, and which
    failure text -- JSON
) strict;

create index runs_open on runs (number) where status in ('running', 'unknown');
create index runs_ended on runs (ended_at) where ended_at is not null;

-- The journal: every event of every run, in order, before anything rests on it.
-- Appended by rowid, so that a commit touches few pages however many runs there are.
create table events (
    lsn integer primary key,
    run integer not null,
    seq integer not null,
    at integer not null,
    kind text not null,
    call text,
    digest blob, -- of the call: tool and arguments
    body text, -- JSON
    refs text, -- JSON: where in the body payloads belong, and which
    wall integer, -- microseconds
    cpu integer, -- microseconds
    bytes_in integer,
    bytes_out integer
) strict;

create unique index events_of_run on events (run, seq);

-- Values too large to be written again with each event that carries them.
create table payloads (
    run integer not null,
    digest blob not null,
    body text not null, -- JSON
    primary key (run, digest)
) without rowid, strict;
