-- Internal functions.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What the views take for now: the real time, or credit.clock.
CREATE FUNCTION credit.now() RETURNS timestamptz LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'now_wrapper';

-- Months and days are counted on the calendar of the time zone, hours and less are absolute: one day is the same local time
-- tomorrow, 24 hours are 24 hours. Skipped and doubled hours are as AT TIME ZONE resolves them.
CREATE FUNCTION credit.add_interval(at timestamptz, length interval, time_zone text) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        -- Nothing to count on the calendar; there and back would move the first of an hour that comes twice to the second.
        WHEN months = 0 AND days = 0 THEN at + length
        ELSE (at AT TIME ZONE time_zone + calendar) AT TIME ZONE time_zone + (length - calendar)
    END
    FROM (SELECT (EXTRACT(year FROM length) * 12 + EXTRACT(month FROM length))::integer, EXTRACT(day FROM length)::integer) AS l (months, days),
        LATERAL pg_catalog.make_interval(months => months, days => days) AS calendar
$$;

SET LOCAL search_path TO @extschema@, pg_temp;
