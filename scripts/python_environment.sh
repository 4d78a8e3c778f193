#!/usr/bin/env bash
# scripts/python_environment.sh NAME REQUIREMENTS: a Python environment with the versions and hashes of that file. Prints its directory,
# which is in the cache directory outside the repository.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/progress.sh
source "$SCRIPTS/progress.sh"
# shellcheck source=scripts/cargo_pgrx.sh
source "$SCRIPTS/cargo_pgrx.sh"

ENVIRONMENT=$CACHE_DIRECTORY/${1:?usage: python_environment.sh NAME REQUIREMENTS}
REQUIREMENTS=${2:?usage: python_environment.sh NAME REQUIREMENTS}
# A copy of what was installed, put there last: an interrupted run leaves nothing that looks complete.
INSTALLED=$ENVIRONMENT/requirements.txt

if ! cmp --silent "$REQUIREMENTS" "$INSTALLED"; then
    python3 -c 'import venv, ensurepip' || fail "python3 with venv is missing." "Install it: apt-get install --yes python3-venv"
    mkdir -p "$CACHE_DIRECTORY"
    python3 -m venv --clear "$ENVIRONMENT" >&2
    "$ENVIRONMENT/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$REQUIREMENTS" >&2
    cp "$REQUIREMENTS" "$INSTALLED"
fi
printf '%s\n' "$ENVIRONMENT"
