-- A placeholder: the walkthrough that `make demo` runs.
\echo 'pg_credit is installed:'
SELECT extname, extversion FROM pg_extension WHERE extname = 'pg_credit';
