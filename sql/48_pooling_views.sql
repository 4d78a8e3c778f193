-- Views of pooling: departments as members make them.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per department that a member belongs to, and per level above it.
CREATE VIEW credit.departments AS
SELECT placed.account, placed.path AS department,
    CASE WHEN placed.depth > 1 THEN left(placed.path, length(placed.path) - strpos(reverse(placed.path), '/')) END AS parent, placed.depth,
    count(*) FILTER (WHERE placed.path = placed.department) AS members,
    count(*) FILTER (WHERE placed.path = placed.department AND placed.active) AS active_members,
    count(*) AS members_within, count(*) FILTER (WHERE placed.active) AS active_members_within
FROM (
    SELECT m.account, m.department, m.active, level.depth,
        array_to_string((string_to_array(m.department, '/'))[1:level.depth], '/') AS path
    FROM credit.member m, LATERAL generate_series(1, cardinality(string_to_array(m.department, '/'))) AS level (depth)
    WHERE m.department IS NOT NULL
) AS placed
GROUP BY placed.account, placed.path, placed.depth;

SET LOCAL search_path TO @extschema@, pg_temp;
