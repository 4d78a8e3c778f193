#!/usr/bin/env bash
# make demo-year: a year of three cycles and a rollover in a throwaway PostgreSQL (docs/year.sql), and its picture (docs/year.svg).
#
# The picture needs matplotlib, in a Python environment of its own; without a network there is no new picture.
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

OUTPUT=$REPOSITORY/target/demo-year
PLOT_ENVIRONMENT=$OUTPUT/plot

start_demo() {
    create_throwaway "$(package_directory)"
    initialise_throwaway ''
    start_throwaway
    export_throwaway
}

run_psql() {
    "$SERVER_BINDIR/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
}

live_through_the_year() {
    run_psql --command='CREATE EXTENSION pg_credit'
    run_psql --pset=pager=off --file="$REPOSITORY/docs/year.sql"
}

export_year() {
    local view
    mkdir -p "$OUTPUT"
    for view in total by_lot; do
        PGTZ=UTC run_psql --csv --command="TABLE year.$view" >"$OUTPUT/$view.csv"
    done
}

has_matplotlib() {
    "$PLOT_ENVIRONMENT/bin/python" -c 'import matplotlib' 2>/dev/null
}

install_matplotlib() {
    rm -rf "$PLOT_ENVIRONMENT"
    run_step "install matplotlib for the picture" demo-year/matplotlib "$REPOSITORY/bench/install_matplotlib.sh" "$PLOT_ENVIRONMENT"
}

draw_picture() {
    if ! has_matplotlib && ! install_matplotlib; then
        say "  no picture: matplotlib could not be installed"
        return 0
    fi
    "$PLOT_ENVIRONMENT/bin/python" "$SCRIPTS/plot_year.py" "$OUTPUT" "$REPOSITORY/docs/year.svg"
    "$PLOT_ENVIRONMENT/bin/python" "$SCRIPTS/plot_year.py" "$OUTPUT" "$OUTPUT/year.png"
    say_title "Drawn: docs/year.svg, and as pixels $(shorten_path "$OUTPUT/year.png")"
}

forget_client_settings
say_title "pg_credit: a year in seconds"
"$SCRIPTS/prerequisites.sh" run
choose_pg_config
run_step "build pg_credit for PostgreSQL $PG_MAJOR" demo-year/build "$SCRIPTS/build.sh"
remove_throwaway_at_exit
run_here "start a throwaway PostgreSQL $PG_MAJOR" start_demo
say_title "docs/year.sql"
live_through_the_year
export_year
draw_picture
