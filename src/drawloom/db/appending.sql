-- What the journal writes. `:rows` stands for `(?,?,…),(?,?,…)`, one per row.

-- name: plans
insert or ignore into plans (digest, chain, version, document, effects, stored_at, children)
values :rows

-- name: runs
insert into runs
    (number, id, chain, plan, status, started_at, bindings, parent, parent_call, start_key,
     input_digest)
values :rows

-- name: payloads
insert or ignore into payloads (run, digest, body) values :rows

-- name: blobs
insert or ignore into blobs (run, digest, size) values :rows

-- name: events
insert into events
    (lsn, run, seq, at, kind, call, digest, body, refs, wall, cpu, bytes_in, bytes_out,
     peak_memory)
values :rows

-- name: states
with new (number, status, ended_at, output, refs, failure) as (values :rows)
update runs
set status = new.status, ended_at = new.ended_at, output = new.output, refs = new.refs,
    failure = new.failure
from new where runs.number = new.number
