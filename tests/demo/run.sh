#!/usr/bin/env bash
# docs/demo.sql, what `make demo` shows, runs through without an error it does not expect; docs/year.sql, what `make demo-year` shows,
# says what tests/demo/expected/year.out says. The picture is not drawn here.
#
# Needs a running server that has the extension (scripts/test.sh provides it).
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BINDIR=${PG_CREDIT_BINDIR:?run this through scripts/test.sh}
DATABASE=demo
OUTPUT=$REPOSITORY/target/demo-year
PASSED=0

# run_in_new_database FILE
run_in_new_database() {
    "$BINDIR/dropdb" --if-exists "$DATABASE"
    "$BINDIR/createdb" "$DATABASE"
    "$BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$DATABASE" --command='CREATE EXTENSION pg_credit'
    "$BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$DATABASE" --file="$1"
    "$BINDIR/dropdb" "$DATABASE"
    PASSED=$((PASSED + 1))
}

run_in_new_database "$REPOSITORY/docs/demo.sql"
mkdir -p "$OUTPUT"
run_in_new_database "$REPOSITORY/docs/year.sql" >"$OUTPUT/year.out"
# Read the new output against what it should say before you copy it from target/demo-year.
diff --unified "$REPOSITORY/tests/demo/expected/year.out" "$OUTPUT/year.out"
printf 'demo: %d passed, 0 failed\n' "$PASSED"
