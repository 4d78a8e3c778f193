#!/usr/bin/env bash
# make install: copies the built extension into the directories of PG_CONFIG's PostgreSQL, under DESTDIR if given.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$SCRIPTS/find_postgres.sh"
# shellcheck source=scripts/package.sh
source "$SCRIPTS/package.sh"

choose_pg_config
PACKAGE=$(package_directory)
LIBRARIES=$("$PG_CONFIG" --pkglibdir)
EXTENSIONS=$("$PG_CONFIG" --sharedir)/extension

refuse_unwritable() {
    local target=$1 existing=$1
    while [[ ! -e $existing ]]; do existing=$(dirname "$existing"); done
    [[ -w $existing ]] || fail "$target is not writable for $(id -un)." \
        "Install as a user who may: sudo make install PG_CONFIG=$PG_CONFIG"
}

copy_into() {
    local target=$1 mode=$2
    shift 2
    mkdir -p "$target"
    install -m "$mode" "$@" "$target/"
    say "  $target: ${*##*/}"
}

refuse_unwritable "${DESTDIR:-}$LIBRARIES"
refuse_unwritable "${DESTDIR:-}$EXTENSIONS"
# `make` as oneself and then `sudo make install` must not need root's own Rust.
if ! is_package_current "$PACKAGE"; then
    "$SCRIPTS/prerequisites.sh" build
    run_step "build pg_credit for PostgreSQL $PG_MAJOR" "build-$PG_MAJOR" "$SCRIPTS/build.sh"
fi
copy_into "${DESTDIR:-}$LIBRARIES" 755 "$PACKAGE$LIBRARIES/pg_credit.so"
copy_into "${DESTDIR:-}$EXTENSIONS" 644 "$PACKAGE$EXTENSIONS"/pg_credit*
