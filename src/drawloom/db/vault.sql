-- name: version
select seq from sqlite_sequence where name = 'audit'

-- name: audit
insert into audit (at, who, tenant, did, what, version) values (?, ?, ?, ?, ?, ?)

-- name: audited
select at, who, did, what, version from audit where tenant = ? order by id desc limit ?

-- name: keys
select id, root, wrapped, is_primary, made_at from keys order by made_at, id

-- name: add_key
insert into keys (id, root, wrapped, is_primary, made_at) values (?, ?, ?, 1, ?)

-- name: no_primary
update keys set is_primary = 0 where is_primary = 1

-- name: wrap_key
update keys set root = ?, wrapped = ? where id = ?

-- name: drop_unused_keys
delete from keys
where is_primary = 0
    and not exists (select 1 from secrets where key = keys.id)
    and not exists (select 1 from connections where key = keys.id)
returning id

-- name: latest
select version, key, wrapped, sealed from secrets
where tenant = ? and name = ? order by version desc limit 1

-- name: add_secret
insert into secrets (tenant, name, version, key, wrapped, sealed, made_at, made_by)
values (?, ?, ?, ?, ?, ?, ?, ?)

-- name: forget_versions
delete from secrets where tenant = ? and name = ? and version <= ?

-- name: remove_secret
delete from secrets where tenant = ? and name = ? returning version

-- name: secrets
select name, max(version), count(*), min(made_at), max(made_at), made_by, key from secrets
where tenant = ? group by name order by name

-- name: to_rewrap
select tenant, name, version, key, wrapped from secrets where key <> ?

-- name: rewrap
update secrets set key = ?, wrapped = ? where tenant = ? and name = ? and version = ?

-- name: last_version
select max(version) from audit where tenant = ? and what = ? and did = 'set secret'

-- name: connections
select name, kind, settings, origins, version, made_at, changed_at, key, proof from connections
where tenant = ? order by name

-- name: put_connection
insert into connections
    (tenant, name, kind, settings, origins, version, key, proof, made_at, changed_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
on conflict (tenant, name) do update set
    kind = ?3, settings = ?4, origins = ?5, version = ?6, key = ?7, proof = ?8, changed_at = ?9

-- name: remove_connection
delete from connections where tenant = ? and name = ? returning version

-- name: to_prove
select tenant, name, kind, settings, origins, version, key, proof from connections
where key is not null and key <> ?

-- name: prove
update connections set key = ?, proof = ? where tenant = ? and name = ?
