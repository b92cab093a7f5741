-- kind: expand
-- compatible from: 0022

-- Whether the database's disk takes 256 kB more. A row that is written in place may need no room, since its page and the
-- log's files are there already; this goes to a temporary file, which is gone when the statement ends and leaves nothing
-- for a vacuum to do. `work_mem` as small as it can be, so that it does not stay in memory.
CREATE FUNCTION room() RETURNS bigint LANGUAGE sql SET work_mem = '64kB' AS $$
    WITH filled AS MATERIALIZED (SELECT repeat('x', 8192) AS page FROM generate_series(1, 32))
    SELECT sum(length(a.page)) FROM filled a
$$;
