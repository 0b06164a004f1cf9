-- The ring: keys that encrypt data keys, each wrapped by the root key.
create table keys (
    id text primary key,
    root text not null, -- names the root key, and says nothing about it
    wrapped blob not null,
    is_primary integer not null,
    made_at integer not null -- microseconds since 1970 (UTC)
) without rowid, strict;

create unique index keys_primary on keys (is_primary) where is_primary = 1;

-- Each version of a secret has a data key of its own, wrapped by a key of the ring.
create table secrets (
    tenant text not null,
    name text not null,
    version integer not null,
    key text not null references keys (id),
    wrapped blob not null, -- the data key
    sealed blob not null, -- the value
    made_at integer not null,
    made_by text not null,
    primary key (tenant, name, version)
) without rowid, strict;

create index secrets_by_key on secrets (key);

-- Connections, their secrets as references. The proof is made with a key of the ring: who
-- changes a row by hand cannot send a secret elsewhere.
create table connections (
    tenant text not null,
    name text not null,
    kind text not null,
    settings text not null, -- JSON
    origins text not null, -- JSON: where its secrets may be sent to
    version integer not null,
    key text references keys (id),
    proof blob,
    made_at integer not null,
    changed_at integer not null,
    primary key (tenant, name)
) without rowid, strict;

create index connections_by_key on connections (key);

-- What was changed, when and by whom; never a value. The last id is the vault's version.
create table audit (
    id integer primary key autoincrement,
    at integer not null,
    who text not null,
    tenant text not null,
    did text not null,
    what text not null,
    version integer
) strict;
