# shellcheck shell=bash
# A Superset of our own with the dashboard in it, in a directory that goes away again. Sourced after scripts/progress.sh.
#
#   prepare_superset ENVIRONMENT DATABASE   its settings: which Python environment, and the URL of the database that is looked at
#   check_database                          that it can be read
#   fill_superset                           its own database (SQLite), a user, the dashboard
#   start_superset, stop_superset           DASHBOARD_URL, DASHBOARD_USER, DASHBOARD_PASSWORD
#   remove_superset

SUPERSET_HOME=
SUPERSET_PID=
DASHBOARD_USER='admin'

prepare_superset() {
    SUPERSET_BINDIR=$1/bin
    SUPERSET_HOME=$(mktemp -d "${TMPDIR:-/tmp}/pg_credit_dashboard.XXXXXX")
    SUPERSET_LOG=$SUPERSET_HOME/server.log
    DASHBOARD_PASSWORD=$(random_hex 8)
    export SUPERSET_HOME DASHBOARD_DATABASE=$2
    SUPERSET_SECRET_KEY=$(random_hex 32)
    export SUPERSET_SECRET_KEY SUPERSET_CONFIG_PATH=$REPOSITORY/dashboard/superset_config.py FLASK_APP='superset.app:create_app()'
}

# Before Superset would say it chart by chart.
check_database() {
    "$SUPERSET_BINDIR/python" -c '
import os, psycopg2
with psycopg2.connect(os.environ["DASHBOARD_DATABASE"]) as connection:
    connection.cursor().execute("SELECT FROM credit.consumption LIMIT 0")
' >"$SUPERSET_HOME/command.log" 2>&1 && return 0
    fail "The database cannot be read: $(grep --max-count=1 --extended-regexp '^[a-z0-9.]+\.[A-Za-z]+: ' "$SUPERSET_HOME/command.log")" \
        "It needs pg_credit, and a role that may read: SELECT credit_allow('ROLE', 'read')"
}

random_hex() {
    od --address-radix=n --format=x1 --read-bytes="$1" /dev/urandom | tr -d ' \n'
}

fill_superset() {
    run_superset db upgrade
    run_superset init
    # In the environment, because everybody may read the arguments of a program.
    FLASK_FAB_CREATE_ADMIN_PASSWORD=$DASHBOARD_PASSWORD run_superset fab create-admin --username "$DASHBOARD_USER" --firstname pg_credit \
        --lastname admin --email admin@example.com
    cp -R "$REPOSITORY/dashboard/assets" "$SUPERSET_HOME/credits"
    (cd "$SUPERSET_HOME" && python3 -m zipfile --create credits.zip credits)
    run_superset import-dashboards --path "$SUPERSET_HOME/credits.zip" --username "$DASHBOARD_USER"
}

# What it says is only of interest when it fails.
run_superset() {
    "$SUPERSET_BINDIR/superset" "$@" >"$SUPERSET_HOME/command.log" 2>&1 || fail "superset $1 failed." "$(tail -n 40 "$SUPERSET_HOME/command.log")"
}

# On a port that the system chooses, for this machine only.
start_superset() {
    "$SUPERSET_BINDIR/gunicorn" --bind 127.0.0.1:0 --no-control-socket --workers 1 --worker-class gthread --threads 8 --timeout 120 \
        'superset.app:create_app()' >"$SUPERSET_LOG" 2>&1 &
    SUPERSET_PID=$!
    for ((tenths = 0; tenths < 600; tenths++)); do
        kill -0 "$SUPERSET_PID" 2>/dev/null || break
        DASHBOARD_URL=$(sed --quiet 's/.*Listening at: \(http[^ ]*\).*/\1/p' "$SUPERSET_LOG")
        if [[ -n $DASHBOARD_URL ]] && answers "$DASHBOARD_URL/health"; then
            DASHBOARD_URL=$DASHBOARD_URL/superset/dashboard/credits/
            return 0
        fi
        sleep 0.1
    done
    fail "Superset did not start." "$(tail -n 40 "$SUPERSET_LOG")"
}

answers() {
    "$SUPERSET_BINDIR/python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=30)' "$1" 2>/dev/null
}

stop_superset() {
    [[ -n $SUPERSET_PID ]] || return 0
    kill "$SUPERSET_PID" 2>/dev/null || true
    wait "$SUPERSET_PID" 2>/dev/null || true
    SUPERSET_PID=
}

remove_superset() {
    stop_superset
    if [[ -n $SUPERSET_HOME ]]; then rm -rf "$SUPERSET_HOME"; fi
    SUPERSET_HOME=
}
