#!/usr/bin/env bash
# Builds the extension for PG_CONFIG into target/package/MAJOR, laid out like the server's own directories:
#
#   scripts/build.sh             the extension
#   scripts/build.sh --pg-test   the extension with its #[pg_test] functions, into target/pg_test/MAJOR
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"
# shellcheck source=scripts/cargo_pgrx.sh
source "$SCRIPTS/cargo_pgrx.sh"
# shellcheck source=scripts/package.sh
source "$SCRIPTS/package.sh"

choose_pg_config
cd "$REPOSITORY"

OUTPUT=$(package_directory)
FEATURES=pg$PG_MAJOR
EXTRA=()
if [[ ${1:-} == --pg-test ]]; then
    OUTPUT=$(pg_test_package_directory)
    FEATURES+=" pg_test"
    EXTRA=(--test)
fi

# cargo-pgrx writes colours into log files too.
without_colour() {
    if [[ -t 1 ]]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi
}

# Both kinds are release builds: the tests then share every compiled dependency with the package.
build_package() {
    run_cargo_pgrx package "${EXTRA[@]}" --pg-config "$PG_CONFIG" --no-default-features --features "$FEATURES" \
        --out-dir "$OUTPUT" 2>&1 | without_colour
}

if is_package_current "$OUTPUT"; then
    say "$(shorten_path "$OUTPUT") is up to date"
    exit 0
fi
begin_stamp "$OUTPUT"
# What an earlier build left (another version's SQL, another server's directories) must not be installed.
rm -rf "$OUTPUT"
build_package
finish_stamp "$OUTPUT"
