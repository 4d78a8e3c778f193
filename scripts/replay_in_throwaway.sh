#!/usr/bin/env bash
# make replay CSV=path: runs scripts/replay.sh on the file, in a throwaway PostgreSQL that has the extension.
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

start_replay() {
    create_throwaway "$(package_directory)"
    initialise_throwaway ''
    start_throwaway
    export_throwaway
    "$SERVER_BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --command='CREATE EXTENSION pg_credit'
}

[[ -n ${1:-} ]] || fail "Which file?" "make replay CSV=path/to/trace.csv"
[[ -f $1 ]] || fail "There is no such file: $1"
CSV=$(realpath "$1")
forget_client_settings
"$SCRIPTS/prerequisites.sh" run
choose_pg_config
run_step "build pg_credit for PostgreSQL $PG_MAJOR" replay/build "$SCRIPTS/build.sh"
remove_throwaway_at_exit
run_here "start a throwaway PostgreSQL $PG_MAJOR" start_replay
"$SCRIPTS/replay.sh" "$CSV"
