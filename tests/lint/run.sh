#!/usr/bin/env bash
# The rules of this repository that a program can check. All of them run; any that is broken fails the run.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/progress.sh
source "$REPOSITORY/scripts/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$REPOSITORY/scripts/find_postgres.sh"

BROKEN=()
CHECKED=0

# The flags cargo-pgrx itself builds with: with them, clippy reuses what the release build compiled.
CARGO_PGRX_FLAGS='target."cfg(all(target_family = \"unix\", not(target_os = \"macos\")))".rustflags = ["-C", "link-arg=-Wl,--no-gc-sections"]'

check() {
    local title=$1
    shift
    CHECKED=$((CHECKED + 1))
    say "== $title"
    "$@" || {
        say "BROKEN: $title"
        BROKEN+=("$title")
    }
}

check_formatting() {
    cargo fmt --all --check
}

check_extension_with_clippy() {
    PGRX_PG_CONFIG_PATH=$PG_CONFIG cargo --config "$CARGO_PGRX_FLAGS" clippy --quiet --release --package pg_credit --lib \
        --no-default-features --features "pg$PG_MAJOR" -- --deny warnings
}

check_pg_tests_with_clippy() {
    PGRX_PG_CONFIG_PATH=$PG_CONFIG cargo --config "$CARGO_PGRX_FLAGS" clippy --quiet --release --package pg_credit --lib \
        --no-default-features --features "pg$PG_MAJOR pg_test" -- --deny warnings
}

check_clients_with_clippy() {
    cargo clippy --quiet --package pg_credit_clients --all-targets -- --deny warnings
}

# The rules of the economy stay pure Rust, so that they can be tested without a database.
check_domain_is_pure() {
    ! grep --recursive --line-number --extended-regexp 'pgrx|pg_sys|Spi\b' "$REPOSITORY/src/domain"
}

# Floors, circles, one noun per file, widths, links: tests/clients/tests/house, which needs no server.
check_house() {
    cargo test --quiet --package pg_credit_clients --test house
}

# SQL lives in src/store: a string elsewhere that starts like a statement is SQL in the wrong place. Lines that
# are comments, or state an object's SQL in a pgrx attribute, are not.
check_sql_is_in_store() {
    ! grep --recursive --line-number --extended-regexp --include='*.rs' --exclude-dir=store \
        '"\s*(SELECT\s|INSERT INTO\s|UPDATE\s+[a-z_.]+\s+SET\s|DELETE FROM\s|WITH\s+[a-z_]+\s+AS\s)' "$REPOSITORY/src" |
        grep --invert-match --extended-regexp '^[^:]*:[0-9]+:\s*(//|#\[)' |
        grep --invert-match --extended-regexp --file=<(lines_of_tests)
}

# `#[pg_test]` functions may contain SQL: everything from `mod tests` on, in a file that has one.
lines_of_tests() {
    local file line
    printf '^never$\n'
    while IFS=: read -r file line _; do
        awk -v file="$file" -v first="$line" 'NR >= first { printf "^%s:%d:\n", file, NR }' "$file"
    done < <(grep --recursive --line-number --include='*.rs' --extended-regexp '^\s*(pub )?mod tests\b' "$REPOSITORY/src" || true)
}

list_shell_scripts() {
    find "$REPOSITORY/scripts" "$REPOSITORY/tests" "$REPOSITORY/bench" "$REPOSITORY/dashboard" "$REPOSITORY/.ci" -type f \
        \( -name '*.sh' -o -path '*/.ci/run' \) 2>/dev/null | LC_ALL=C sort
}

check_shell_scripts() {
    local scripts
    mapfile -t scripts < <(list_shell_scripts)
    shellcheck --external-sources --source-path="$REPOSITORY" "${scripts[@]}"
}

# Programs that use a throwaway server must not reach for one that is the machine's.
check_no_fixed_places() {
    ! grep --recursive --line-number --extended-regexp --include='*.sh' --include='*.rs' --include='*.sql' \
        '(localhost|127\.0\.0\.1)' "$REPOSITORY/scripts" "$REPOSITORY/tests" --exclude-dir=lint
}

choose_pg_config
cd "$REPOSITORY"
check "cargo fmt" check_formatting
check "clippy: the extension" check_extension_with_clippy
check "clippy: the extension with its pg_tests" check_pg_tests_with_clippy
check "clippy: the client tests" check_clients_with_clippy
check "src/domain is free of pgrx" check_domain_is_pure
check "floors, nouns, widths, links" check_house
check "SQL texts are in src/store" check_sql_is_in_store
check "sql/ is in the order of its numbers, with its comments" "$REPOSITORY/tests/lint/sql_files.py"
check "shellcheck" check_shell_scripts
check "no test connects over TCP" check_no_fixed_places
if ((${#BROKEN[@]} > 0)); then printf 'broken: %s\n' "${BROKEN[@]}"; fi
say "lint: $((CHECKED - ${#BROKEN[@]})) of $CHECKED rules kept"
((${#BROKEN[@]} == 0))
