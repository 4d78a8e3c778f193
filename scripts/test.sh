#!/usr/bin/env bash
# Runs the tests, all layers, and prints a table of results at the end; fails if any layer fails.
#
#   scripts/test.sh [--only LAYER]... [MAJOR]...
#
# Without a MAJOR: on the default PostgreSQL (see PG_CONFIG in the Makefile). A MAJOR this machine does not have is
# fetched into the cache directory. What does not depend on the server (lint, domain, dashboard, pgspot) runs on the first only.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"
# shellcheck source=scripts/package.sh
source "$SCRIPTS/package.sh"
# shellcheck source=scripts/throwaway_cluster.sh
source "$SCRIPTS/throwaway_cluster.sh"

LAYERS=(lint domain build pg_test pg_regress isolation clients lifecycle demo dashboard pgspot)
LAYERS_WITHOUT_SERVER=(lint domain build pg_test pgspot)
CLIENT_TESTS=$REPOSITORY/tests/clients/tests
ONLY=()
MAJORS=()
RESULTS=()
FAILED_LOGS=()
CRON_FILES=
FAILURES=0

contains() {
    local wanted=$1 item
    shift
    for item in "$@"; do [[ $item == "$wanted" ]] && return 0; done
    return 1
}

read_arguments() {
    while (($# > 0)); do
        case $1 in
        --only)
            contains "${2:-}" "${LAYERS[@]}" || fail "There is no layer ${2:-}; there are: ${LAYERS[*]}"
            ONLY+=("$2")
            shift 2
            ;;
        *)
            is_supported_major "$1" || fail "pg_credit supports PostgreSQL ${SUPPORTED_MAJORS[*]}, not $1."
            MAJORS+=("$1")
            shift
            ;;
        esac
    done
}

is_wanted() {
    ((${#ONLY[@]} == 0)) || contains "$1" "${ONLY[@]}"
}

needs_server() {
    local layer
    for layer in "${LAYERS[@]}"; do
        if is_wanted "$layer" && ! contains "$layer" "${LAYERS_WITHOUT_SERVER[@]}"; then return 0; fi
    done
    return 1
}

record_result() {
    RESULTS+=("$(printf '%-12s %-10s %-8s %6s' "PostgreSQL $PG_MAJOR" "$1" "$2" "$3")")
    if [[ $2 == FAILED ]]; then FAILURES=$((FAILURES + 1)); fi
}

# What each runner says at its end.
print_closing_lines() {
    grep --extended-regexp '^(test result:|.*All [0-9]+ tests passed|.*tests? (failed|passed)|lint:|mutations:|pg_test:|lifecycle:|demo:|dashboard:| *Errors: [0-9])' "$1" |
        sed 's/^[ #]*/      /' || true
}

# run_layer LAYER COMMAND...
run_layer() {
    local layer=$1 result=ok
    shift
    is_wanted "$layer" || return 0
    run_step "$layer" "$PG_MAJOR/$layer" "$@" || result=FAILED
    print_closing_lines "$(log_path "$PG_MAJOR/$layer")"
    if [[ $result == FAILED ]]; then FAILED_LOGS+=("$(log_path "$PG_MAJOR/$layer")"); fi
    record_result "$layer" "$result" "$STEP_SECONDS"
    [[ $result == ok ]]
}

skip_layer() {
    is_wanted "$1" || return 0
    say "  $1 ... skipped: $2"
    record_result "$1" skipped 0
}

domain_target() {
    if [[ -e $CLIENT_TESTS/domain.rs ]]; then printf 'domain'; fi
}

list_client_targets() {
    local file
    for file in "$CLIENT_TESTS"/*.rs "$CLIENT_TESTS"/*/main.rs; do
        [[ -e $file ]] || continue
        case $file in
        */main.rs) file=${file%/main.rs} ;;
        esac
        file=$(basename "$file" .rs)
        if [[ $file != domain ]]; then printf -- '--test=%s\n' "$file"; fi
    done
}

choose_server() {
    local major=$1
    if [[ -n $major ]]; then
        PG_CONFIG=$(find_pg_config "$major")
        if [[ -z $PG_CONFIG ]] || ! has_server "$PG_CONFIG"; then fetch_server "$major"; fi
    fi
    choose_pg_config
}

fetch_server() {
    local log
    run_step "fetch PostgreSQL $1" "$1/fetch" "$SCRIPTS/fetch_postgres.sh" "$1"
    log=$(log_path "$1/fetch")
    PG_CONFIG=$(tail -n 1 "$log")
}

# The tests of pg_cron run where Debian has it for the server under test: it is built for that one and no other.
fetch_cron() {
    local log
    CRON_FILES=
    is_wanted clients || return 0
    if [[ $PG_CONFIG == /usr/lib/postgresql/* ]] &&
        run_step "fetch pg_cron for PostgreSQL $PG_MAJOR" "$PG_MAJOR/fetch_cron" "$SCRIPTS/fetch_cron.sh" "$PG_MAJOR"; then
        log=$(log_path "$PG_MAJOR/fetch_cron")
        CRON_FILES=$(tail -n 1 "$log")
    else
        say "  the test of pg_cron ... skipped: there is no package of it for this PostgreSQL $PG_MAJOR"
    fi
}

start_server() {
    unset PG_CREDIT_CRON
    create_throwaway "$(package_directory)"
    if [[ -n $CRON_FILES ]]; then
        add_to_throwaway "$CRON_FILES"
        export PG_CREDIT_CRON=yes
    fi
    initialise_throwaway 'fsync = off'
    start_throwaway
    export_throwaway
}

keep_server_log() {
    if [[ -n $THROWAWAY && -e $SERVER_LOG ]]; then cp "$SERVER_LOG" "$LOG_ROOT/$PG_MAJOR/server.log"; fi
}

finish() {
    stop_ticker
    keep_server_log
    remove_throwaway
}

run_golden_layers() {
    if compgen -G "$REPOSITORY/tests/pg_regress/sql/*.sql" >/dev/null; then
        run_layer pg_regress "$SCRIPTS/regress.sh" sql || true
    else
        skip_layer pg_regress "no files in tests/pg_regress/sql"
    fi
    if compgen -G "$REPOSITORY/tests/isolation/specs/*.spec" >/dev/null; then
        run_layer isolation "$SCRIPTS/regress.sh" isolation || true
    else
        skip_layer isolation "no files in tests/isolation/specs"
    fi
}

run_client_layer() {
    local targets
    mapfile -t targets < <(list_client_targets)
    if ((${#targets[@]} > 0)); then
        run_layer clients cargo test --package pg_credit_clients --no-fail-fast "${targets[@]}" || true
    else
        skip_layer clients "no files in tests/clients/tests"
    fi
}

run_domain_layer() {
    if [[ -n $(domain_target) ]]; then
        run_layer domain cargo test --package pg_credit_clients --test domain || true
    else
        skip_layer domain "no tests/clients/tests/domain.rs"
    fi
}

run_server_layers() {
    local is_first=$1
    needs_server || return 0
    fetch_cron
    run_here "start a throwaway PostgreSQL $PG_MAJOR" start_server
    run_golden_layers
    run_client_layer
    run_layer lifecycle "$REPOSITORY/tests/lifecycle/run.sh" || true
    run_layer demo "$REPOSITORY/tests/demo/run.sh" || true
    if [[ $is_first == yes ]]; then run_layer dashboard "$REPOSITORY/tests/dashboard/run.sh" || true; fi
    keep_server_log
    remove_throwaway
}

# Without a build nothing after it means anything.
run_build_layer() {
    local result=ok
    run_step build "$PG_MAJOR/build" "$SCRIPTS/build.sh" || result=FAILED
    record_result build "$result" "$STEP_SECONDS"
    [[ $result == ok ]]
}

test_one_server() {
    local is_first=$1 layer
    say_title "PostgreSQL $PG_MAJOR ($PG_CONFIG)"
    if [[ $is_first == yes ]]; then
        run_layer lint "$REPOSITORY/tests/lint/run.sh" || true
        run_domain_layer
    fi
    run_build_layer || return 0
    run_layer pg_test "$REPOSITORY/tests/pg_test/run.sh" || true
    run_server_layers "$is_first"
    if [[ $is_first == yes ]]; then run_layer pgspot "$REPOSITORY/tests/pgspot/run.sh" || true; fi
}

# Last of all, since the end of a long output is what is read first: which tests failed, and where each of them says so.
print_failures() {
    local log
    for log in ${FAILED_LOGS[@]+"${FAILED_LOGS[@]}"}; do
        say "  $(shorten_path "$log"):"
        awk '/^(test .* FAILED|not ok|error)/ { print } /panicked at/ { print; getline; print }' "$log" | cut --characters=1-240 |
            head --lines=12 | sed 's/^/    /' || true
    done
}

print_summary() {
    say_title "Summary (logs in $(shorten_path "$LOG_ROOT")/)"
    printf '  %-13s %-10s %-8s %6s\n' server layer result seconds
    printf '  %s\n' "${RESULTS[@]}"
    printf '  %-33s %6s\n' "total" "$SECONDS"
    if ((FAILURES > 0)); then
        say "${COLOUR_BAD}$FAILURES failed${COLOUR_OFF}"
        print_failures
    else
        say "${COLOUR_GOOD}everything passed${COLOUR_OFF}"
    fi
}

read_arguments "$@"
forget_client_settings
trap finish EXIT
exit_on_signals
"$SCRIPTS/prerequisites.sh" test
if ((${#MAJORS[@]} == 0)); then MAJORS=(''); fi
is_first=yes
for major in "${MAJORS[@]}"; do
    choose_server "$major"
    test_one_server "$is_first"
    is_first=no
done
print_summary
((FAILURES == 0))
