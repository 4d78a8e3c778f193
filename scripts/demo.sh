#!/usr/bin/env bash
# make demo: installs what is missing, builds, starts a throwaway PostgreSQL and runs docs/demo.sql in it.
# make psql: opens what the demo left.
#
#   scripts/demo.sh run|open|remove
#
# The demo's server is stopped at the end and its directory kept; target/demo says where it is.
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

DEMO_RECORD=$REPOSITORY/target/demo

# Line 1: the directory, line 2: the pg_config its server was copied from.
read_demo_record() {
    [[ -e $DEMO_RECORD ]] || return 1
    { read -r THROWAWAY && read -r PG_CONFIG; } <"$DEMO_RECORD" || return 1
    [[ -e $THROWAWAY/$THROWAWAY_MARKER && -x $PG_CONFIG ]] || return 1
    PG_MAJOR=$(major_of "$PG_CONFIG")
    choose_server_user
    locate_throwaway
}

record_demo() {
    mkdir -p "$(dirname "$DEMO_RECORD")"
    printf '%s\n%s\n' "$THROWAWAY" "$PG_CONFIG" >"$DEMO_RECORD"
}

remove_earlier_demo() {
    local keep_pg_config=${PG_CONFIG:-} keep_major=${PG_MAJOR:-}
    if read_demo_record; then remove_throwaway; fi
    rm -f "$DEMO_RECORD"
    THROWAWAY=
    PG_CONFIG=$keep_pg_config PG_MAJOR=$keep_major
}

start_demo() {
    create_throwaway "$(package_directory)"
    initialise_throwaway ''
    start_throwaway
    export_throwaway
}

run_psql() {
    "$SERVER_BINDIR/psql" --no-psqlrc --quiet "$@"
}

create_extension() {
    run_psql --set=ON_ERROR_STOP=1 --command='CREATE EXTENSION pg_credit'
}

# An error the walkthrough does not expect ends it; where it shows a refusal it says \set ON_ERROR_STOP off.
run_walkthrough() {
    say_title "docs/demo.sql"
    run_psql --set=ON_ERROR_STOP=1 --pset=pager=off --file="$REPOSITORY/docs/demo.sql"
}

run_demo() {
    say_title "pg_credit demo"
    "$SCRIPTS/prerequisites.sh" run
    choose_pg_config
    run_step "build pg_credit for PostgreSQL $PG_MAJOR" demo/build "$SCRIPTS/build.sh"
    remove_earlier_demo
    remove_throwaway_at_exit
    run_here "start a throwaway PostgreSQL $PG_MAJOR" start_demo
    run_here "CREATE EXTENSION pg_credit" create_extension
    run_walkthrough
    stop_throwaway
    record_demo
    say_title "The demo's server is stopped, its data kept in $THROWAWAY"
    say "  make psql    opens it again, in psql"
    say "  make clean   removes it (so does the next make demo, for its own)"
    THROWAWAY=
}

# The psql in a second terminal finds the server running and leaves stopping it to the first.
open_demo() {
    read_demo_record || fail "There is no demo to open." "Run this first: make demo"
    export_throwaway
    if ! is_throwaway_running; then
        trap stop_throwaway EXIT
        exit_on_signals
        run_here "start the demo's PostgreSQL $PG_MAJOR" start_throwaway
        say "  It is stopped when you leave psql (\\q)."
    fi
    # Ctrl-C cancels a query in psql; it must not end this script and the server with it.
    trap : INT
    "$SERVER_BINDIR/psql"
}

forget_client_settings
case ${1:?usage: demo.sh run|open|remove} in
run) run_demo ;;
open) open_demo ;;
remove) remove_earlier_demo ;;
*) fail "usage: demo.sh run|open|remove" ;;
esac
