#!/usr/bin/env bash
# scripts/fetch_cron.sh MAJOR: fetches pg_cron for Debian's PostgreSQL, and prints the directory it is unpacked in.
#
# The package is downloaded with apt and unpacked into the cache directory outside the repository; nothing is installed on the
# machine. Fails where there is no such package.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/cargo_pgrx.sh
source "$SCRIPTS/cargo_pgrx.sh"

PACKAGE=postgresql-${1:?usage: fetch_cron.sh MAJOR}-cron
INSTALLED=$CACHE_DIRECTORY/$PACKAGE
STAGING=

remove_staging() {
    if [[ -n $STAGING ]]; then rm -rf "$STAGING"; fi
}

if [[ ! -d $INSTALLED ]]; then
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then fail "There is no apt here to fetch $PACKAGE with."; fi
    mkdir -p "$CACHE_DIRECTORY"
    trap remove_staging EXIT
    STAGING=$(mktemp -d "$CACHE_DIRECTORY/staging.XXXXXX")
    (cd "$STAGING" && apt-get download --quiet "$PACKAGE") >&2
    dpkg-deb --extract "$(compgen -G "$STAGING/*.deb")" "$STAGING/unpacked"
    # Last, and at once: an interrupted run leaves nothing that looks complete.
    mv --no-target-directory "$STAGING/unpacked" "$INSTALLED"
fi
printf '%s\n' "$INSTALLED"
