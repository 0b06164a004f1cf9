-- name: setting
select value from settings where tenant = ? and name = ?

-- name: add_setting
insert into settings (tenant, name, value) values (?, ?, ?) on conflict do nothing

-- name: head
select seq, digest from audit_heads where tenant = ?

-- name: put_head
insert into audit_heads (tenant, seq, digest) values (?1, ?2, ?3)
on conflict (tenant) do update set seq = ?2, digest = ?3

-- name: ends
select
    (select seq from audit_heads where tenant = ?1),
    (select digest from audit_heads where tenant = ?1),
    (select max(seq) from audit where tenant = ?1)

-- name: append_audit
insert into audit
    (tenant, seq, at, who, name, via, did, what, team, outcome, address, agent, details, before,
    digest)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: audit_after
select
    tenant, seq, at, who, name, via, did, what, team, outcome, address, agent, details, before,
    digest
from audit where tenant = ? and seq > ? and seq <= ? order by seq limit ?

-- name: audited
select seq, at, who, name, via, did, what, team, outcome, address, agent, details from audit
where tenant = ?1 and team in (?2, ?3) and seq < ?4
    and (?5 is null or who = ?5) and (?6 is null or did = ?6) and (?7 is null or what = ?7)
    and (?8 is null or outcome = ?8) and (?9 is null or at >= ?9) and (?10 is null or at < ?10)
order by seq desc limit ?11

-- name: live_session
select s.user, u.name, null from sessions s
join users u on u.tenant = s.tenant and u.id = s.user
where s.tenant = ? and s.id = ? and s.expires_at > ? and u.disabled_at is null

-- name: live_token
select t.user, u.name, t.scopes from tokens t
join users u on u.tenant = t.tenant and u.id = t.user
where t.tenant = ? and t.id = ? and t.expires_at > ? and t.revoked_at is null
    and u.disabled_at is null

-- name: roles
select team, role from members where tenant = ? and user = ?

-- name: live_roles
select m.team, m.role from members m
join users u on u.tenant = m.tenant and u.id = m.user
where m.tenant = ? and m.user = ? and u.disabled_at is null

-- name: attempts
select failures, until, last, told from attempts where tenant = ? and key = ?

-- name: put_attempts
insert into attempts (tenant, key, failures, until, last, told) values (?1, ?2, ?3, ?4, ?5, ?6)
on conflict (tenant, key) do update set failures = ?3, until = ?4, last = ?5, told = ?6

-- name: drop_attempt
delete from attempts where tenant = ? and key = ?

-- name: drop_attempts
delete from attempts where last < ?

-- name: user_by_login
select id, password from users where tenant = ? and login = ?

-- name: still_so
select 1 from users where tenant = ? and id = ? and password = ? and disabled_at is null

-- name: password
select password from users where tenant = ? and id = ?

-- name: change_password
update users set password = ? where tenant = ? and id = ? and password = ? returning id

-- name: add_user
insert into users (tenant, id, name, login, password, version, made_at)
values (?, ?, ?, ?, ?, ?, ?)

-- name: user_version
select version from users where tenant = ? and id = ?

-- name: accounts
select id, name, login, version, made_at, disabled_at from users
where tenant = ? and login > ? order by login limit ?

-- name: disable_user
update users set disabled_at = ?, version = ? where tenant = ? and id = ?

-- name: forget_user
delete from users where tenant = ? and id = ?

-- name: forget_members
delete from members where tenant = ? and user = ?

-- name: forget_sessions
delete from sessions where tenant = ? and user = ?

-- name: forget_tokens
delete from tokens where tenant = ? and user = ?

-- name: forget_links
delete from links where tenant = ? and made_by = ?

-- name: forget_attempts
delete from attempts where tenant = ? and key = 'user:' || ?

-- name: session_by_hash
select id, user, seen_at, rotated_at, hash from sessions
where tenant = ?1 and (hash = ?2 or (before = ?2 and before_until > ?3))

-- name: session_seen
update sessions set seen_at = max(seen_at, ?) where tenant = ? and id = ?

-- name: add_session
insert into sessions
    (tenant, id, hash, user, made_at, rotated_at, seen_at, expires_at, address, agent)
values (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?6, ?7, ?8)

-- name: drop_sessions
delete from sessions where tenant = ? and (expires_at <= ? or seen_at < ?)

-- name: drop_oldest_sessions
delete from sessions where tenant = ?1 and user = ?2 and id not in (
    select id from sessions where tenant = ?1 and user = ?2
    order by made_at desc, id limit ?3
)

-- name: rotate_session
update sessions set hash = ?1, before = ?2, before_until = ?3, rotated_at = ?4
where tenant = ?5 and id = ?6 and hash = ?2 returning id

-- name: replace_session
update sessions set hash = ?, before = null, before_until = 0, rotated_at = ?
where tenant = ? and id = ?

-- name: rotate_sessions
update sessions set rotated_at = 0 where tenant = ? and user = ?

-- name: end_session
delete from sessions where tenant = ? and user = ? and id = ? returning id

-- name: end_sessions
delete from sessions where tenant = ? and user = ? and id <> ? returning id

-- name: sessions
select id, made_at, seen_at, expires_at, address, agent from sessions
where tenant = ? and user = ? and expires_at > ? and seen_at >= ? order by made_at desc, id

-- name: count_tokens
select count(*) from tokens
where tenant = ? and user = ? and expires_at > ? and revoked_at is null

-- name: drop_ended_tokens
delete from tokens where tenant = ?1 and user = ?2 and id in (
    select id from tokens
    where tenant = ?1 and user = ?2 and (expires_at <= ?3 or revoked_at is not null)
    order by made_at desc, id limit -1 offset ?4
)

-- name: add_token
insert into tokens (tenant, id, hash, user, name, scopes, made_at, expires_at)
values (?, ?, ?, ?, ?, ?, ?, ?)

-- name: token_by_hash
select id, user, used_at from tokens where tenant = ? and hash = ?

-- name: token_used
update tokens set used_at = ? where tenant = ? and id = ?

-- name: revoke_token
update tokens set revoked_at = ? where tenant = ? and user = ? and id = ?
    and revoked_at is null returning id

-- name: revoke_tokens
update tokens set revoked_at = ? where tenant = ? and user = ? and revoked_at is null

-- name: tokens
select id, name, scopes, made_at, expires_at, used_at, revoked_at from tokens
where tenant = ? and user = ? order by made_at desc, id limit ?

-- name: an_owner
select 1 from members where tenant = ? and team = ? and role = 'owner' limit 1

-- name: ownerless
select t.id, t.name from teams t
where t.tenant = ? and not exists (
    select 1 from members m
    join users u on u.tenant = m.tenant and u.id = m.user
    where m.tenant = t.tenant and m.team = t.id and m.role = 'owner' and u.disabled_at is null
) limit 1

-- name: drop_links
delete from links where tenant = ? and expires_at <= ?

-- name: drop_owner_links
delete from links where tenant = ? and purpose = 'owner'

-- name: add_link
insert into links
    (tenant, hash, id, purpose, team, role, name, made_by, made_at, expires_at)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: link
select id, team, role, name, made_by from links
where tenant = ? and hash = ? and purpose = ? and expires_at > ?

-- name: take_link
delete from links where tenant = ? and hash = ? and purpose = ? and expires_at > ?
returning id, team, role, name, made_by

-- name: invitations
select id, name, role, made_by, made_at, expires_at from links
where tenant = ? and team = ? and purpose = 'invite' and expires_at > ?
order by made_at desc, id limit ?

-- name: drop_invitation
delete from links where tenant = ? and team = ? and purpose = 'invite' and id = ? returning id

-- name: team
select name, version from teams where tenant = ? and id = ?

-- name: team_by_name
select id from teams where tenant = ? and folded = ?

-- name: add_team
insert into teams (tenant, id, name, folded, version, made_at) values (?, ?, ?, ?, ?, ?)

-- name: rename_team
update teams set name = ?, folded = ?, version = ? where tenant = ? and id = ?

-- name: all_teams
select id, name from teams where tenant = ? order by folded

-- name: teams_of
select t.id, t.name, t.version, m.role from members m
join teams t on t.tenant = m.tenant and t.id = m.team
where m.tenant = ? and m.user = ? order by t.folded

-- name: member
select role, version from members where tenant = ? and team = ? and user = ?

-- name: members
select u.id, u.name, u.login, m.role, m.version, u.disabled_at from members m
join users u on u.tenant = m.tenant and u.id = m.user
where m.tenant = ? and m.team = ? and u.login > ? order by u.login limit ?

-- name: put_member
insert into members (tenant, team, user, role, version, made_at) values (?1, ?2, ?3, ?4, ?5, ?6)
on conflict (tenant, team, user) do update set role = ?4, version = ?5

-- name: remove_member
delete from members where tenant = ? and team = ? and user = ?
