#!/usr/bin/env bash
# make dashboard: Apache Superset with the dashboard of pg_credit, until Ctrl-C. DASHBOARD_DATABASE=postgresql://... names the database it
# shows; without it, a throwaway PostgreSQL with what docs/dashboard.sql makes up.
set -euo pipefail

DASHBOARD=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SCRIPTS=$DASHBOARD/../scripts
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"
# shellcheck source=scripts/package.sh
source "$SCRIPTS/package.sh"
# shellcheck source=scripts/throwaway_cluster.sh
source "$SCRIPTS/throwaway_cluster.sh"
# shellcheck source=dashboard/superset.sh
source "$DASHBOARD/superset.sh"

finish() {
    stop_ticker
    remove_superset
    remove_throwaway
}

start_server() {
    create_throwaway "$(package_directory)"
    initialise_throwaway 'fsync = off'
    start_throwaway
    export_throwaway
}

tell_the_story() {
    "$SERVER_BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
        --command='CREATE EXTENSION pg_credit' --file="$REPOSITORY/docs/dashboard.sql"
}

# Half a year of two customers, in a server of its own.
provide_database() {
    "$SCRIPTS/prerequisites.sh" dashboard
    choose_pg_config
    run_step "build pg_credit for PostgreSQL $PG_MAJOR" dashboard/build "$SCRIPTS/build.sh"
    run_here "start a throwaway PostgreSQL $PG_MAJOR" start_server
    run_here "half a year of usage (docs/dashboard.sql)" tell_the_story
    DASHBOARD_DATABASE="postgresql://credit_dashboard@/$PGDATABASE?host=$PGHOST&port=$PGPORT"
}

say_title "pg_credit dashboard"
trap finish EXIT
exit_on_signals
if [[ -z ${DASHBOARD_DATABASE:-} ]]; then
    forget_client_settings
    provide_database
fi
run_step "install Apache Superset, once, about a minute" dashboard/install "$SCRIPTS/python_environment.sh" superset "$DASHBOARD/requirements.txt"
prepare_superset "$(tail -n 1 "$(log_path dashboard/install)")" "$DASHBOARD_DATABASE"
run_here "look at the database" check_database
run_here "put the dashboard into it" fill_superset
run_here "start it" start_superset
say_title "$DASHBOARD_URL"
say "  user      $DASHBOARD_USER"
say "  password  $DASHBOARD_PASSWORD"
say "  Ctrl-C    stops it and removes everything"
wait "$SUPERSET_PID"
