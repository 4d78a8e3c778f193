#!/usr/bin/env bash
# docs/demo.sql, what `make demo` shows, runs through without an error it does not expect.
#
# Needs a running server that has the extension (scripts/test.sh provides it).
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BINDIR=${PG_CREDIT_BINDIR:?run this through scripts/test.sh}
DATABASE=demo

"$BINDIR/dropdb" --if-exists "$DATABASE"
"$BINDIR/createdb" "$DATABASE"
"$BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$DATABASE" --command='CREATE EXTENSION pg_credit'
"$BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$DATABASE" --file="$REPOSITORY/docs/demo.sql"
"$BINDIR/dropdb" "$DATABASE"
printf 'demo: 1 passed, 0 failed\n'
