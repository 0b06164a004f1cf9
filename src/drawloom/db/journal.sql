-- name: plan
select chain, version, document, effects, children from plans where digest = ?

-- name: last_run
select coalesce(max(number), 0) from runs

-- name: last_lsn
select coalesce(max(lsn), 0) from events

-- name: open_runs
select number, id, chain, plan, status, started_at, bindings, parent, parent_call
from runs where status in ('queued', 'running', 'waiting', 'unknown') order by number

-- name: run
select number, id, chain, plan, status, started_at, ended_at, bindings, output, refs, failure
from runs where id = ?

-- name: run_by_key
select id, input_digest from runs where chain = ? and start_key = ?

-- name: family
select runs.id, up.id, runs.parent_call
from runs left join runs as up on up.number = runs.parent where runs.id = ?

-- name: children
select child.id, child.parent_call, child.status, child.chain
from runs as child join runs as up on child.parent = up.number
where up.id = ? order by child.number

-- name: run_by_prefix
select id from runs where id >= ?1 and id < ?1 || 'zzzzzzzz' order by id limit 3

-- name: runs
select number, id, chain, plan, status, started_at, ended_at, bindings, output, refs, failure
from runs
where (?1 is null or status = ?1) and (?2 is null or chain = ?2) and number < ?3
order by number desc limit ?4

-- name: events_of_run
select lsn, seq, at, kind, call, digest, body, refs, wall, cpu, bytes_in, bytes_out,
    peak_memory
from events where run = ?1 and seq > ?2 order by seq

-- name: payload
select body from payloads where run = ? and digest = ?

-- name: expired
select number from runs where ended_at is not null and ended_at < ? order by ended_at limit ?

-- name: forget_events
delete from events where run = ?

-- name: forget_payloads
delete from payloads where run = ?

-- name: forget_blobs
delete from blobs where run = ?

-- name: blobs
select distinct digest, size from blobs

-- name: forget_run
delete from runs where number = ?

-- name: forget_plans
delete from plans where not exists (select 1 from runs where runs.plan = plans.digest)

-- name: gaps
select runs.id, count(*), max(seq)
from events join runs on runs.number = events.run
group by events.run having count(*) <> max(seq)

-- name: orphans
select distinct run from events where run not in (select number from runs) limit 10

-- name: never_started
select id from runs where not exists
    (select 1 from events where events.run = runs.number and seq = 1 and kind = 'started')
limit 10
