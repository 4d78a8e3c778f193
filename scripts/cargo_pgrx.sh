# shellcheck shell=bash
# cargo-pgrx in the one version this crate is pinned to. Sourced by the other scripts, after progress.sh.

CARGO_PGRX_VERSION=0.18.1
CACHE_DIRECTORY=${XDG_CACHE_HOME:-$HOME/.cache}/pg_credit
# Another version may be installed for the user's other projects: ours then lives beside it.
OWN_CARGO_PGRX=$CACHE_DIRECTORY/cargo-pgrx-$CARGO_PGRX_VERSION/bin/cargo-pgrx

is_wanted_cargo_pgrx() {
    [[ $("$1" pgrx --version 2>/dev/null) == "cargo-pgrx $CARGO_PGRX_VERSION" ]]
}

find_cargo_pgrx() {
    local candidate
    for candidate in "$OWN_CARGO_PGRX" "$(command -v cargo-pgrx || true)" "${CARGO_HOME:-$HOME/.cargo}/bin/cargo-pgrx"; do
        if [[ -x $candidate ]] && is_wanted_cargo_pgrx "$candidate"; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    return 1
}

# Without default features it cannot download PostgreSQL, which we never ask of it, and builds in half the time.
ensure_cargo_pgrx() {
    find_cargo_pgrx >/dev/null && return 0
    run_step "install cargo-pgrx $CARGO_PGRX_VERSION, once, about two minutes" prerequisites/cargo-pgrx \
        cargo install --locked cargo-pgrx --version "$CARGO_PGRX_VERSION" --debug --no-default-features \
        --root "$CACHE_DIRECTORY/cargo-pgrx-$CARGO_PGRX_VERSION"
}

run_cargo_pgrx() {
    local program
    program=$(find_cargo_pgrx) || fail "cargo-pgrx $CARGO_PGRX_VERSION is missing." "Install it: make prerequisites"
    # Its own backtraces bury the message.
    PGRX_PG_CONFIG_PATH=$PG_CONFIG env -u RUST_BACKTRACE "$program" pgrx "$@"
}
