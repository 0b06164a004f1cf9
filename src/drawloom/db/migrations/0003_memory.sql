-- The peak memory of a call that had a process of its own.
alter table events add column peak_memory integer; -- bytes
