#!/usr/bin/env bash
# Runs the #[pg_test] functions: builds the extension with them, starts a throwaway server of its own and calls
# each function of the schema "tests" in its own session and rolled-back transaction.
#
# `cargo pgrx test` would install into the machine's PostgreSQL, refuse to run as root, and listen on a TCP port.
# `#[pg_test(error = "...")]` expects that message, as there.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/progress.sh
source "$REPOSITORY/scripts/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$REPOSITORY/scripts/find_postgres.sh"
# shellcheck source=scripts/package.sh
source "$REPOSITORY/scripts/package.sh"
# shellcheck source=scripts/throwaway_cluster.sh
source "$REPOSITORY/scripts/throwaway_cluster.sh"

PASSED=0
FAILED=()

start_server() {
    create_throwaway "$(pg_test_package_directory)"
    initialise_throwaway 'fsync = off'
    start_throwaway
    export_throwaway
    query --command='CREATE EXTENSION pg_credit'
}

query() {
    "$SERVER_BINDIR/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 "$@"
}

list_tests() {
    query --command="SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'tests' AND p.prorettype = 'void'::regtype AND p.pronargs = 0 ORDER BY p.proname"
}

# Prints the message of `#[pg_test(error = "...")]` on the function $1, if it has one.
expected_error() {
    find "$REPOSITORY/src" -name '*.rs' -exec cat {} + | awk -v name="$1" '
        /#\[pg_test/ {
            message = ""
            if (match($0, /error *= *".*"/)) {
                message = substr($0, RSTART, RLENGTH)
                sub(/^error *= *"/, "", message)
                sub(/"$/, "", message)
                gsub(/\\"/, "\"", message)
            }
        }
        $0 ~ ("fn " name "\\(")  && !found { print message; found = 1 }'
}

# The transaction ends with the session, and is rolled back.
call_test() {
    query --command='BEGIN' --command="SELECT tests.\"$1\"()" 2>&1
}

run_test() {
    local name=$1 wanted output status=0
    wanted=$(expected_error "$name")
    output=$(call_test "$name") || status=$?
    if [[ -z $wanted && $status == 0 ]] || [[ -n $wanted && $status != 0 && $output == *"ERROR:  $wanted"* ]]; then
        PASSED=$((PASSED + 1))
        say "ok      $name"
    else
        FAILED+=("$name")
        say "FAILED  $name${wanted:+ (expected the error: $wanted)}"
        say "$output"
    fi
}

forget_client_settings
choose_pg_config
"$REPOSITORY/scripts/build.sh" --pg-test
remove_throwaway_at_exit
start_server
mapfile -t TESTS < <(list_tests)
for test in "${TESTS[@]}"; do run_test "$test"; done
if ((${#FAILED[@]} > 0)); then
    tail -n 40 "$SERVER_LOG"
    say "failed: ${FAILED[*]}"
fi
say "pg_test: $PASSED passed, ${#FAILED[@]} failed"
((${#FAILED[@]} == 0 && PASSED > 0))
