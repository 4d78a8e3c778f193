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
    SELECT (at AT TIME ZONE time_zone + pg_catalog.make_interval(
            months => (EXTRACT(year FROM length) * 12 + EXTRACT(month FROM length))::integer,
            days => EXTRACT(day FROM length)::integer)) AT TIME ZONE time_zone
        + (length - pg_catalog.make_interval(
            months => (EXTRACT(year FROM length) * 12 + EXTRACT(month FROM length))::integer,
            days => EXTRACT(day FROM length)::integer))
$$;

SET LOCAL search_path TO @extschema@, pg_temp;
