#!/usr/bin/env bash
# The golden tests, against a running server that has the extension installed (PG_CONFIG, and PGHOST and so on):
#
#   scripts/regress.sh sql         tests/pg_regress/sql/*.sql, by pg_regress
#   scripts/regress.sh isolation   tests/isolation/specs/*.spec, by pg_isolation_regress
#
# The results go to target/regress/MAJOR. Differences are printed and fail the run.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"

KIND=${1:?usage: regress.sh sql|isolation}
choose_pg_config
TEST_PROGRAMS=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
OUTPUT=$REPOSITORY/target/regress/$PG_MAJOR/$KIND

case $KIND in
sql)
    INPUT=$REPOSITORY/tests/pg_regress
    PATTERN="$INPUT/sql/*.sql"
    PROGRAM=$TEST_PROGRAMS/regress/pg_regress
    ;;
isolation)
    INPUT=$REPOSITORY/tests/isolation
    PATTERN="$INPUT/specs/*.spec"
    PROGRAM=$TEST_PROGRAMS/isolation/pg_isolation_regress
    ;;
*) fail "usage: regress.sh sql|isolation" ;;
esac

# Sorted by name, so that the files can be read, and run, in order.
list_tests() {
    compgen -G "$PATTERN" | LC_ALL=C sort | while read -r file; do
        file=${file##*/}
        printf '%s\n' "${file%.*}"
    done
}

# isolationtester's search path for libpq assumes an installed place; the server's own libpq must be found.
add_own_libpq() {
    local directory
    directory=$("$PG_CONFIG" --pkglibdir)
    if [[ -e $directory/libpq.so.5 ]]; then export LD_LIBRARY_PATH=$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; fi
}

print_differences() {
    if [[ -e $OUTPUT/regression.diffs ]]; then cat "$OUTPUT/regression.diffs"; fi
}

mapfile -t TESTS < <(list_tests)
((${#TESTS[@]} > 0)) || fail "There are no tests: $PATTERN"
[[ -x $PROGRAM ]] || fail "$PROGRAM is missing." "On Debian: apt-get install postgresql-server-dev-$PG_MAJOR"
add_own_libpq
rm -rf "$OUTPUT"
mkdir -p "$OUTPUT"
# Backtraces in error details would differ from the expected output.
unset RUST_BACKTRACE RUST_LIB_BACKTRACE
cd "$INPUT"
"$PROGRAM" --inputdir="$INPUT" --outputdir="$OUTPUT" --bindir="${PG_CREDIT_BINDIR:-$("$PG_CONFIG" --bindir)}" \
    --dbname="pg_credit_${KIND}_test" --load-extension=pg_credit "${TESTS[@]}" || {
    print_differences
    exit 1
}
