-- Who there is, and what each may do. Times are microseconds since 1970 (UTC). A version is
-- the number of the audit's entry of the last change, so none is used twice.
create table settings (
    tenant text not null,
    name text not null,
    value blob not null,
    primary key (tenant, name)
) without rowid, strict;

create table teams (
    tenant text not null,
    id text not null,
    name text not null,
    folded text not null, -- the name as it is compared
    version integer not null,
    made_at integer not null,
    primary key (tenant, id),
    unique (tenant, folded)
) without rowid, strict;

create table users (
    tenant text not null,
    id text not null,
    name text not null,
    login text not null, -- the name as it is compared
    password text not null, -- argon2id, with its parameters and salt
    version integer not null,
    made_at integer not null,
    disabled_at integer,
    primary key (tenant, id),
    unique (tenant, login)
) without rowid, strict;

create table members (
    tenant text not null,
    team text not null,
    user text not null,
    role text not null check (role in ('viewer', 'runner', 'author', 'admin', 'owner')),
    version integer not null,
    made_at integer not null,
    primary key (tenant, team, user),
    foreign key (tenant, team) references teams (tenant, id),
    foreign key (tenant, user) references users (tenant, id)
) without rowid, strict;

create index members_by_user on members (tenant, user);

-- One-time links. Of a secret there is only its SHA-256, here as in what follows.
create table links (
    tenant text not null,
    hash blob not null,
    id text not null,
    purpose text not null check (purpose in ('owner', 'invite')),
    team text not null,
    role text not null,
    name text not null, -- of whom is invited; empty for the first owner
    made_by text not null, -- the inviter, who must still be allowed to when it is used
    made_at integer not null,
    expires_at integer not null,
    primary key (tenant, hash),
    unique (tenant, id)
) without rowid, strict;

create table sessions (
    tenant text not null,
    id text not null, -- names it, and opens nothing
    hash blob not null,
    before blob, -- the hash of the one that it took the place of
    before_until integer not null default 0,
    user text not null,
    made_at integer not null,
    rotated_at integer not null, -- 0: at its next use
    seen_at integer not null, -- not written at each use
    expires_at integer not null,
    address text not null,
    agent text not null,
    primary key (tenant, id),
    unique (tenant, hash),
    foreign key (tenant, user) references users (tenant, id)
) without rowid, strict;

create unique index sessions_before on sessions (tenant, before) where before is not null;
create index sessions_by_user on sessions (tenant, user);

create table tokens (
    tenant text not null,
    id text not null,
    hash blob not null,
    user text not null,
    name text not null,
    scopes text not null, -- JSON: actions
    made_at integer not null,
    expires_at integer not null,
    used_at integer, -- not written at each use
    revoked_at integer,
    primary key (tenant, id),
    unique (tenant, hash),
    foreign key (tenant, user) references users (tenant, id)
) without rowid, strict;

create index tokens_by_user on tokens (tenant, user);

-- Failed logins by account and by address. Names and addresses share 65,536 keys each.
create table attempts (
    tenant text not null,
    key text not null,
    failures integer not null,
    until integer not null,
    last integer not null,
    told integer not null,
    primary key (tenant, key)
) without rowid, strict;

create index attempts_by_time on attempts (last);

-- What was changed or denied: who, what, on what, from where, when; never a secret. Each
-- entry has the digest of the one before.
create table audit (
    tenant text not null,
    seq integer not null,
    at integer not null,
    who text not null, -- a user's id
    name text not null, -- as it was then
    via text not null, -- terminal, session:ID, token:ID, nobody
    did text not null,
    what text not null, -- the id of what it was done to
    team text not null, -- empty: of the whole installation
    outcome text not null check (outcome in ('done', 'denied', 'failed')),
    address text not null,
    agent text not null,
    details text not null, -- JSON
    before blob not null,
    digest blob not null,
    primary key (tenant, seq)
) without rowid, strict;

create index audit_by_team on audit (tenant, team, seq);

create trigger audit_is_not_changed before update on audit
begin
    select raise(abort, 'the audit is only appended to');
end;

create trigger audit_is_not_deleted before delete on audit
begin
    select raise(abort, 'the audit is only appended to');
end;

-- The newest entry, so that one that is gone from the end is missed.
create table audit_heads (
    tenant text primary key,
    seq integer not null,
    digest blob not null
) without rowid, strict;
