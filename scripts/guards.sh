#!/usr/bin/env bash
# Writes src/store/maintenance/verify/guards.txt: what guards the books, as a fresh installation has it. PGHOST and PGPORT say in which server; where
# they say nothing, it is built and installed into a throwaway one.
set -euo pipefail

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"
# shellcheck source=scripts/package.sh
source "$SCRIPTS/package.sh"
# shellcheck source=scripts/throwaway_cluster.sh
source "$SCRIPTS/throwaway_cluster.sh"

LIST=$SCRIPTS/../src/store/maintenance/verify/guards.txt
GUARDS='SELECT kind, object, found FROM credit.guards() WHERE found IS NOT NULL ORDER BY kind COLLATE "C", object COLLATE "C"'

start_server() {
    create_throwaway "$(package_directory)"
    initialise_throwaway ''
    start_throwaway
    export_throwaway
}

choose_pg_config
if [[ -z ${PGHOST:-} ]]; then
    forget_client_settings
    "$SCRIPTS/prerequisites.sh" run
    run_step "build pg_credit for PostgreSQL $PG_MAJOR" guards/build "$SCRIPTS/build.sh"
    remove_throwaway_at_exit
    run_here "start a throwaway PostgreSQL $PG_MAJOR" start_server
fi
psql_in() { "${PG_CREDIT_BINDIR:-$("$PG_CONFIG" --bindir)}/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$1" "${@:2}"; }
DATABASE=pg_credit_guards_$$
psql_in postgres --command="CREATE DATABASE $DATABASE TEMPLATE template0"
psql_in "$DATABASE" --command='CREATE EXTENSION pg_credit'
psql_in "$DATABASE" --no-align --tuples-only --field-separator=$'\t' --command="$GUARDS" >"$LIST"
psql_in postgres --command="DROP DATABASE $DATABASE"
say "$(wc -l <"$LIST") guards; build again, so that the proof knows them"
