-- Large values that runs use: each is a file, named by the digest of its content.
create table blobs (
    run integer not null,
    digest blob not null,
    size integer not null, -- bytes
    primary key (run, digest)
) without rowid, strict;
