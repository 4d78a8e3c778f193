#!/usr/bin/env bash
# What `make dashboard` shows, in a Chromium without a window: every chart says what SQL says (browser.py), for two accounts and months, and
# nothing on the page is an error. A picture of it is left in target/dashboard/dashboard.png.
#
# Needs a running server that has the extension (scripts/test.sh provides it).
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/progress.sh
source "$REPOSITORY/scripts/progress.sh"
# shellcheck source=dashboard/superset.sh
source "$REPOSITORY/dashboard/superset.sh"

BINDIR=${PG_CREDIT_BINDIR:?run this through scripts/test.sh}
OUTPUT=$REPOSITORY/target/dashboard
export PGDATABASE=dashboard

run_psql() {
    "$BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
}

remove_database() {
    "$BINDIR/dropdb" --if-exists --force "$PGDATABASE"
    run_psql --dbname=postgres --command='DROP ROLE IF EXISTS credit_dashboard'
}

finish() {
    if [[ -e ${SUPERSET_LOG:-} ]]; then cp "$SUPERSET_LOG" "$(log_path "$PG_CREDIT_MAJOR/superset")" || true; fi
    remove_superset
    remove_database
}

create_database() {
    remove_database
    "$BINDIR/createdb" "$PGDATABASE"
    run_psql --command='CREATE EXTENSION pg_credit' --file="$REPOSITORY/docs/dashboard.sql"
    [[ $(run_psql --tuples-only --no-align --command='SELECT count(*) FROM credit_verify()') == 0 ]] || fail "docs/dashboard.sql breaks an invariant."
}

CHROMIUM=$("$REPOSITORY/scripts/find_chromium.sh") || fail "Chromium is missing." "Install it: make prerequisites"
SUPERSET=$("$REPOSITORY/scripts/python_environment.sh" superset "$REPOSITORY/dashboard/requirements.txt")
PLAYWRIGHT=$("$REPOSITORY/scripts/python_environment.sh" playwright "$REPOSITORY/tests/dashboard/requirements.txt")
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
create_database
prepare_superset "$SUPERSET" "postgresql://credit_dashboard@/$PGDATABASE?host=$PGHOST&port=$PGPORT"
check_database
fill_superset
start_superset
mkdir -p "$OUTPUT"
export DASHBOARD_URL DASHBOARD_USER DASHBOARD_PASSWORD
# What the browser keeps goes away with Superset.
XDG_CONFIG_HOME=$SUPERSET_HOME XDG_CACHE_HOME=$SUPERSET_HOME "$PLAYWRIGHT/bin/python" "$REPOSITORY/tests/dashboard/browser.py" "$CHROMIUM" "$OUTPUT/dashboard.png"
