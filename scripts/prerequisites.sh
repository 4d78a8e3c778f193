#!/usr/bin/env bash
# Installs what is missing: scripts/prerequisites.sh build|run|dashboard|test [MAJOR]
#
#   build      a C linker, libclang and the PostgreSQL server headers (Debian packages), and cargo-pgrx
#   run        build, and a PostgreSQL server to start
#   dashboard  run, and a Python to install Superset with
#   test       dashboard, and what the tests need besides
#
# Debian packages need root or sudo. Without either, and on other systems, it says what is missing and stops.
set -euo pipefail

# shellcheck source=scripts/progress.sh
source "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
# shellcheck source=scripts/find_postgres.sh
source "$(dirname "${BASH_SOURCE[0]}")/find_postgres.sh"
# shellcheck source=scripts/cargo_pgrx.sh
source "$(dirname "${BASH_SOURCE[0]}")/cargo_pgrx.sh"

PURPOSE=${1:?usage: prerequisites.sh build|run|dashboard|test [MAJOR]}
WANTED_MAJOR=${2:-}

MISSING_PACKAGES=()
MISSING_THINGS=()

miss() {
    MISSING_THINGS+=("$1")
    shift
    MISSING_PACKAGES+=("$@")
}

has_libclang() {
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null ||
        [[ -n ${LIBCLANG_PATH:-} ]] || command -v llvm-config >/dev/null
}

# The packaged PostgreSQL this machine can have: the wanted one, else the newest supported one.
packaged_major() {
    local major
    if [[ -n $WANTED_MAJOR ]]; then
        printf '%s' "$WANTED_MAJOR"
        return
    fi
    for ((i = ${#SUPPORTED_MAJORS[@]} - 1; i >= 0; i--)); do
        major=${SUPPORTED_MAJORS[i]}
        if apt-cache show "postgresql-server-dev-$major" >/dev/null 2>&1; then
            printf '%s' "$major"
            return
        fi
    done
    # An image without package lists; Debian 12 has this one.
    printf '15'
}

find_missing_postgres() {
    local pg_config=${PG_CONFIG:-} major
    if [[ -z $pg_config ]]; then pg_config=$(find_pg_config "$WANTED_MAJOR"); fi
    if [[ -z $pg_config ]]; then
        major=$(packaged_major)
        miss "the headers of PostgreSQL $major's server" "postgresql-server-dev-$major"
        if [[ $PURPOSE != build ]]; then miss "the server of PostgreSQL $major" "postgresql-$major"; fi
        return
    fi
    if [[ $PURPOSE != build ]] && ! has_server "$pg_config"; then
        major=$(major_of "$pg_config")
        miss "the server of PostgreSQL $major" "postgresql-$major"
    fi
}

find_missing_packages() {
    command -v cc >/dev/null || miss "a C linker (cc)" gcc libc6-dev
    find_missing_postgres
    # postgresql-server-dev brings clang, and clang brings libclang.
    if ! has_libclang && [[ " ${MISSING_PACKAGES[*]} " != *" postgresql-server-dev-"* ]]; then
        miss "libclang (bindgen reads the server's headers with it)" libclang-dev
    fi
    if [[ $PURPOSE == dashboard || $PURPOSE == test ]]; then
        python3 -c 'import venv, ensurepip' 2>/dev/null || miss "python3 with venv" python3-venv
    fi
    if [[ $PURPOSE == test ]]; then
        command -v shellcheck >/dev/null || miss shellcheck shellcheck
        "$(dirname "${BASH_SOURCE[0]}")/find_chromium.sh" >/dev/null || miss "the browser chromium" chromium
    fi
}

list_things() {
    local list
    list=$(printf ', %s' "${MISSING_THINGS[@]}")
    printf '%s' "${list#, }"
}

# Prints the words that make a command run as root; fails when nothing does.
root_command() {
    if [[ $(id -u) == 0 ]]; then
        printf 'env'
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }; then
        printf 'sudo env'
    else
        return 1
    fi
}

refuse_to_install() {
    fail "Missing: $(list_things)." "$1" "Install it, then run the same make command again:" \
        "    apt-get update && apt-get install --yes --no-install-recommends ${MISSING_PACKAGES[*]}"
}

install_missing_packages() {
    local as_root
    command -v apt-get >/dev/null || refuse_to_install "There is no apt-get here: on this system the packages have other names than Debian's below."
    as_root=$(root_command) || refuse_to_install "Installing Debian packages needs root or sudo, and this user has neither."
    run_step "install Debian packages: ${MISSING_PACKAGES[*]}" prerequisites/apt \
        "$(dirname "${BASH_SOURCE[0]}")/install_packages.sh" "$as_root" "${MISSING_PACKAGES[@]}"
}

require_rust() {
    command -v cargo >/dev/null || fail "Rust is missing (no cargo on PATH)." \
        "Install Rust 1.95 or newer from https://rustup.rs, then run the same make command again."
}

# rustfmt and clippy are part of most Rust installations, but not of rustup's minimal profile.
require_rust_component() {
    "$2" --version >/dev/null 2>&1 && return 0
    command -v rustup >/dev/null || fail "$1 is missing, and so is rustup, which would install it."
    run_step "install $1" "prerequisites/$1" rustup component add "$1"
}

require_rust
if [[ $PURPOSE == test ]]; then
    require_rust_component rustfmt cargo-fmt
    require_rust_component clippy cargo-clippy
fi
find_missing_packages
if ((${#MISSING_PACKAGES[@]} > 0)); then install_missing_packages; fi
ensure_cargo_pgrx
