#!/usr/bin/env bash
# Dump and restore: what is restored is what was dumped, the books are still proved, and work goes on.
#
# Needs a running server that has the extension, and its programs in PG_CREDIT_BINDIR (scripts/test.sh provides
# both). fill.sql and crowd.sql make the data, compare.sql prints everything that must survive, continue.sql works on with it.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/progress.sh
source "$REPOSITORY/scripts/progress.sh"

HERE=$REPOSITORY/tests/lifecycle
OUTPUT=$REPOSITORY/target/lifecycle/${PG_CREDIT_MAJOR:?run this through scripts/test.sh}
BINDIR=${PG_CREDIT_BINDIR:?run this through scripts/test.sh}
SOURCE=lifecycle_source
PASSED=0
FAILED=()

psql_in() {
    local database=$1
    shift
    "$BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$database" "$@"
}

recreate_database() {
    "$BINDIR/dropdb" --if-exists "$1"
    "$BINDIR/createdb" --template=template0 "$1"
}

compare() {
    psql_in "$1" --no-align --file="$HERE/compare.sql" >"$OUTPUT/$2.txt"
}

dump_custom() { "$BINDIR/pg_dump" --format=custom --file="$OUTPUT/custom.dump" "$SOURCE"; }
restore_custom() { "$BINDIR/pg_restore" --exit-on-error --dbname="$1" "$OUTPUT/custom.dump"; }

dump_directory() { "$BINDIR/pg_dump" --format=directory --jobs=4 --file="$OUTPUT/directory.dump" "$SOURCE"; }
restore_directory() { "$BINDIR/pg_restore" --exit-on-error --jobs=4 --dbname="$1" "$OUTPUT/directory.dump"; }

dump_plain() { "$BINDIR/pg_dump" --format=plain --file="$OUTPUT/plain.sql" "$SOURCE"; }
restore_plain() { psql_in "$1" --output=/dev/null --file="$OUTPUT/plain.sql"; }

# Into a database whose owner has already created the extension.
dump_data_only() { "$BINDIR/pg_dump" --data-only --format=custom --file="$OUTPUT/data.dump" "$SOURCE"; }
restore_data_only() {
    psql_in "$1" --command='CREATE EXTENSION pg_credit'
    "$BINDIR/pg_restore" --exit-on-error --data-only --dbname="$1" "$OUTPUT/data.dump"
    # Data alone brings no privileges; what was granted is recorded in a table, and granted again from there.
    psql_in "$1" --output=/dev/null --command='SELECT credit_allow(role, level) FROM credit.access'
}

# The same, with the triggers off while data are copied: those that always fire come back as ordinary ones, and one call mends it.
dump_without_triggers() { "$BINDIR/pg_dump" --data-only --format=custom --file="$OUTPUT/without_triggers.dump" "$SOURCE"; }
restore_without_triggers() {
    local switched
    psql_in "$1" --command='CREATE EXTENSION pg_credit'
    "$BINDIR/pg_restore" --exit-on-error --data-only --disable-triggers --dbname="$1" "$OUTPUT/without_triggers.dump"
    psql_in "$1" --output=/dev/null --command='SELECT credit_allow(role, level) FROM credit.access'
    switched=$(psql_in "$1" --no-align --tuples-only --command="
        SELECT count(*) FROM credit_verify() WHERE expected = 'always; credit_enable_triggers() sets it'")
    ((switched > 80)) || fail "Only $switched triggers are named by the proof."
    [[ $(psql_in "$1" --no-align --tuples-only --command='SELECT credit_enable_triggers()') == "$switched" ]]
}

# Called as a program of its own (see below), so that `set -e` holds within.
check_way() {
    local way=$1 database=lifecycle_$1
    "dump_$way"
    recreate_database "$database"
    "restore_$way" "$database"
    compare "$database" "$way"
    diff --unified "$OUTPUT/$SOURCE.txt" "$OUTPUT/$way.txt"
    psql_in "$database" --file="$HERE/continue.sql"
    "$BINDIR/dropdb" "$database"
}

run_way() {
    local way=$1
    if "${BASH_SOURCE[0]}" --way "$way"; then
        PASSED=$((PASSED + 1))
        say "ok      $way"
    else
        FAILED+=("$way")
        say "FAILED  $way"
    fi
}

fill_source() {
    rm -rf "$OUTPUT"
    mkdir -p "$OUTPUT"
    recreate_database "$SOURCE"
    psql_in "$SOURCE" --output=/dev/null --file="$HERE/fill.sql"
    "$BINDIR/pgbench" --no-vacuum --client=16 --transactions=25 --file="$HERE/crowd.sql" "$SOURCE" >"$OUTPUT/crowd.txt" 2>&1
    compare "$SOURCE" "$SOURCE"
}

if [[ ${1:-} == --way ]]; then
    check_way "$2"
    exit
fi
fill_source
for way in custom directory plain data_only without_triggers; do run_way "$way"; done
"$BINDIR/dropdb" "$SOURCE"
if ((${#FAILED[@]} > 0)); then say "failed: ${FAILED[*]}"; fi
say "lifecycle: $PASSED passed, ${#FAILED[@]} failed"
((${#FAILED[@]} == 0))
