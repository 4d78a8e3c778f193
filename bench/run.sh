#!/usr/bin/env bash
# make bench: measures pg_credit beside other ways to keep credits, in a PostgreSQL of its own. bench/README.md explains it.
#
#   bench/run.sh                  the cases of BENCH_CASES; tables and a plot into bench/results
#   bench/run.sh --profile CASE   where the server's time goes in one case; needs perf
set -euo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SCRIPTS=$BENCH/../scripts
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"
# shellcheck source=scripts/package.sh
source "$SCRIPTS/package.sh"
# shellcheck source=scripts/throwaway_cluster.sh
source "$SCRIPTS/throwaway_cluster.sh"

MEASUREMENTS=$REPOSITORY/target/bench/measurements.json
PLOT_ENVIRONMENT=$REPOSITORY/target/bench/plot
SHARED_BUFFERS=${BENCH_SHARED_BUFFERS:-1GB}
FLUSH_MICROSECONDS=${BENCH_FLUSH_MICROSECONDS:-1500}
MEASURING_PID=
export PYTHONDONTWRITEBYTECODE=1

# As on a production server that survives a crash; no checkpoint falls into a run by itself. commit_delay stays as it is.
SETTINGS=(
    "shared_buffers = '$SHARED_BUFFERS'"
    "max_connections = 200"
    "fsync = on"
    "full_page_writes = on"
    "synchronous_commit = on"
    "wal_level = replica"
    "wal_sync_method = fdatasync"
    "min_wal_size = '1GB'"
    "max_wal_size = '16GB'"
    "checkpoint_timeout = '30min'"
    "autovacuum = on"
    "jit = off"
    "track_wal_io_timing = on"
)

require_programs() {
    command -v python3 >/dev/null || fail "python3 is missing; the benchmark is driven by it." "On Debian: apt-get install python3"
    command -v cc >/dev/null || fail "cc is missing; the slow disk is simulated by a small C program." "On Debian: apt-get install gcc libc6-dev"
}

create_cluster() {
    create_throwaway "$(package_directory)"
    initialise_throwaway "${SETTINGS[@]}"
    start_throwaway
    export_throwaway
}

compile_slow_flush() {
    cc -O2 -Wall -Werror -shared -fPIC "-DFLUSH_MICROSECONDS=$FLUSH_MICROSECONDS" -o "$THROWAWAY/slow_flush.so" "$BENCH/slow_flush.c" -ldl
}

# Only this server has slow flushes: the variable is set for the program that starts it and for nothing else.
restart_with_slow_flush() {
    compile_slow_flush
    stop_throwaway
    (
        export LD_PRELOAD=$THROWAWAY/slow_flush.so
        start_throwaway
    )
}

# In the background, so that a signal ends it and the server at once instead of after the measurement.
run_measuring() {
    local status=0
    python3 "$BENCH/measure.py" "$@" &
    MEASURING_PID=$!
    wait "$MEASURING_PID" || status=$?
    MEASURING_PID=
    return "$status"
}

stop_measuring() {
    [[ -n $MEASURING_PID ]] || return 0
    kill "$MEASURING_PID" 2>/dev/null || true
    wait "$MEASURING_PID" 2>/dev/null || true
    MEASURING_PID=
}

finish() {
    stop_ticker
    stop_measuring
    remove_throwaway
}

describe_revision() {
    git -C "$REPOSITORY" describe --always --dirty 2>/dev/null || true
}

has_matplotlib() {
    "$PLOT_ENVIRONMENT/bin/python" -c 'import matplotlib' 2>/dev/null
}

install_matplotlib() {
    rm -rf "$PLOT_ENVIRONMENT"
    run_step "install matplotlib for the plot" bench/matplotlib "$BENCH/install_matplotlib.sh" "$PLOT_ENVIRONMENT"
}

# The tables do not need it: without a network there is no plot.
draw_plot() {
    rm -f "$1/latest.svg"
    if ! has_matplotlib && ! install_matplotlib; then
        say "  no plot: matplotlib could not be installed"
        return 0
    fi
    "$PLOT_ENVIRONMENT/bin/python" "$BENCH/report.py" plot "$MEASUREMENTS" "$1"
}

prepare_build() {
    require_programs
    "$SCRIPTS/prerequisites.sh" run
    choose_pg_config
    run_step "build pg_credit for PostgreSQL $PG_MAJOR" bench/build "$SCRIPTS/build.sh"
    PG_CREDIT_REVISION=$(describe_revision)
    export PG_CREDIT_REVISION
    trap finish EXIT
    exit_on_signals
}

run_benchmark() {
    local results=${BENCH_RESULTS:-$BENCH/results} plan
    plan=$(python3 "$BENCH/measure.py" check)
    say_title "pg_credit benchmark"
    prepare_build
    grep --invert-match '^disk: ' <<<"$plan" | sed 's/^/  /' || true
    mkdir -p "$(dirname "$MEASUREMENTS")"
    rm -f "$MEASUREMENTS"
    run_here "start a throwaway PostgreSQL $PG_MAJOR" create_cluster
    if grep --quiet '^disk: native' <<<"$plan"; then
        say_title "On this machine's disk"
        run_measuring native "$MEASUREMENTS"
    fi
    if grep --quiet '^disk: slow' <<<"$plan"; then
        say_title "On a simulated slow disk: every flush takes at least $FLUSH_MICROSECONDS microseconds"
        run_here "restart PostgreSQL with bench/slow_flush.c preloaded" restart_with_slow_flush
        run_measuring slow "$MEASUREMENTS"
    fi
    stop_throwaway
    draw_plot "$results"
    say_title "Results"
    python3 "$BENCH/report.py" tables "$MEASUREMENTS" "$results"
    say_title "Written to $(shorten_path "$results")/ as latest.* ($SECONDS s in all)"
}

profile_case() {
    local output=$REPOSITORY/target/bench/profile
    command -v perf >/dev/null || fail "perf is missing." "On Debian: apt-get install linux-perf"
    say_title "Profile of $1"
    prepare_build
    mkdir -p "$output"
    run_here "start a throwaway PostgreSQL $PG_MAJOR" create_cluster
    if python3 "$BENCH/measure.py" is-slow "$1"; then
        run_here "restart PostgreSQL with bench/slow_flush.c preloaded" restart_with_slow_flush
    fi
    run_measuring profile "$1" "$output"
    say_title "Written to $(shorten_path "$output")/"
}

forget_client_settings
case ${1:-} in
'') run_benchmark ;;
--profile) profile_case "${2:?usage: bench/run.sh --profile CASE}" ;;
*) fail "usage: bench/run.sh [--profile CASE]" ;;
esac
