-- name: put
insert into schedules (tenant, name, chain, input, document, state, seen, due_at, next_at)
values (?1, ?2, ?3, ?4, ?5, 'active', ?6, ?7, ?7)
on conflict (tenant, name) do update set
    chain = ?3, input = ?4, document = ?5, seen = max(seen, ?6), due_at = ?7, next_at = ?7

-- name: set_state
update schedules set state = ?3, seen = max(seen, ?4), due_at = ?5, next_at = ?5
where tenant = ?1 and name = ?2

-- name: remove
delete from schedules where tenant = ? and name = ? returning name

-- name: one
select tenant, name, chain, input, document, state, seen, next_at, last_at, failures, failure, dropped
from schedules where tenant = ? and name = ?

-- name: all
select tenant, name, chain, input, document, state, seen, next_at, last_at, failures, failure, dropped
from schedules where tenant = ? order by name

-- name: due
select tenant, name from schedules
where state = 'active' and due_at is not null and due_at <= ? order by due_at limit ?

-- name: decided
update schedules
set seen = ?3, due_at = ?4, next_at = ?4, last_at = coalesce(?5, last_at), dropped = dropped + ?6
where tenant = ?1 and name = ?2

-- name: broken
update schedules set state = 'paused', failures = failures + 1, failure = ?3
where tenant = ?1 and name = ?2

-- name: queued
select at, key from firings where tenant = ? and name = ? and state = 'queued' order by at

-- name: running
select count(*) from firings
where tenant = ? and name = ? and state in ('pending', 'started')

-- name: add
insert into firings (tenant, name, at, key, state) values (?1, ?2, ?3, ?4, ?5)
on conflict (tenant, name, at) do update set state = ?5 where firings.state = 'queued'
returning key

-- name: unqueue
delete from firings where tenant = ? and name = ? and state = 'queued'

-- name: add_missing
insert or ignore into firings (tenant, name, at, key, state) values (?, ?, ?, ?, 'pending')
returning key

-- name: supersede
update firings set state = 'over' where tenant = ? and name = ? and state = 'pending'
    and leased_until = 0

-- name: cancel
update firings set cancel = 1
where tenant = ? and name = ? and state in ('pending', 'started')

-- name: lease
update firings set leased_until = ?2
where (tenant, name, at) in (
    select tenant, name, at from firings
    where state = 'pending' and leased_until <= ?1 order by leased_until, at limit ?3)
returning tenant, name, at, key

-- name: firing
select tenant, name, state from firings where key = ?

-- name: acknowledge
update firings set state = 'started', run = ?2 where key = ?1 and state = 'pending'

-- name: started_well
update schedules set failures = 0, failure = null where tenant = ? and name = ?

-- name: release
update firings set leased_until = ?2 where key = ?1 and state = 'pending'

-- name: give_up
update firings set state = 'failed' where key = ? and state = 'pending'

-- name: failed
update schedules set failures = failures + 1, failure = ?3 where tenant = ?1 and name = ?2

-- name: over
update firings set state = 'over' where key = ? and state in ('pending', 'started')
returning tenant, name

-- name: wake
update schedules set due_at = ?3
where tenant = ?1 and name = ?2 and (due_at is null or due_at > ?3)
    and exists (select 1 from firings where tenant = ?1 and name = ?2 and state = 'queued')

-- name: to_cancel
select tenant, name, key, run from firings where cancel = 1 and state = 'started'

-- name: open
select tenant, name, key, run from firings where state = 'started'

-- name: forget
delete from firings where state in ('over', 'failed') and at < ?
