#!/usr/bin/env bash
# pgspot, a checker of extension scripts for the ways in which a hostile user can hijack them, on the SQL that
# was generated for PG_CONFIG's PostgreSQL.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/progress.sh
source "$REPOSITORY/scripts/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$REPOSITORY/scripts/find_postgres.sh"
# shellcheck source=scripts/cargo_pgrx.sh
source "$REPOSITORY/scripts/cargo_pgrx.sh"
# shellcheck source=scripts/package.sh
source "$REPOSITORY/scripts/package.sh"

PGSPOT_VERSION=0.9.4
ENVIRONMENT=$CACHE_DIRECTORY/pgspot-$PGSPOT_VERSION

install_pgspot() {
    if ! "$ENVIRONMENT/bin/pgspot" --help >/dev/null 2>&1; then
        python3 -m venv --clear "$ENVIRONMENT"
        "$ENVIRONMENT/bin/pip" install --quiet --disable-pip-version-check "pgspot==$PGSPOT_VERSION"
    fi
}

choose_pg_config
install_pgspot
EXTENSIONS=$(package_directory)$("$PG_CONFIG" --sharedir)/extension
mapfile -t SCRIPTS_TO_CHECK < <(compgen -G "$EXTENSIONS/pg_credit--*.sql")
((${#SCRIPTS_TO_CHECK[@]} > 0)) || fail "There is no generated SQL in $EXTENSIONS."
# The procedure that commits cannot have a search path of its own. It runs as its caller, and every name in it is qualified.
COMMITS='extschema.credit_maintain(time_limit interval,max_rows integer)'
CHECKED=$(mktemp -d)
trap 'rm -rf "$CHECKED"' EXIT

# pgspot stops at a function whose body is not a text. Such a body is checked as the text that it would be.
write_bodies_as_texts() {
    awk '/^ *BEGIN ATOMIC$/ { print "AS $body$"; is_body = 1; next } is_body && /^END;$/ { print "$body$;"; is_body = 0; next } { print }' "$1"
}

for script in "${SCRIPTS_TO_CHECK[@]}"; do write_bodies_as_texts "$script" >"$CHECKED/$(basename "$script")"; done
# pgspot's exit status forgives warnings; we do not.
"$ENVIRONMENT/bin/pgspot" --proc-without-search-path "$COMMITS" "$CHECKED"/*.sql | tee /dev/stderr |
    grep 'Errors: 0 Warnings: 0 Unknown: 0' >/dev/null
