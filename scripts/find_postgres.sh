# shellcheck shell=bash
# Which PostgreSQL to build for: sets PG_CONFIG and PG_MAJOR. Sourced by the other scripts.
#
# PG_CONFIG from the caller wins; else PG_MAJOR picks that version; else the newest supported PostgreSQL that has
# server headers.

SUPPORTED_MAJORS=(15 16 17 18)

is_supported_major() {
    [[ " ${SUPPORTED_MAJORS[*]} " == *" $1 "* ]]
}

major_of() {
    "$1" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'
}

has_server_headers() {
    [[ -x $1 && -e $("$1" --includedir-server)/postgres.h ]]
}

has_server() {
    [[ -x $1 && -x $("$1" --bindir)/postgres ]]
}

candidate_pg_configs() {
    local path
    for path in /usr/lib/postgresql/*/bin/pg_config /usr/pgsql-*/bin/pg_config; do
        if [[ -x $path ]]; then printf '%s\n' "$path"; fi
    done
    command -v pg_config || true
}

# Prints "major path" of every PostgreSQL here that has server headers, supported or not, newest first.
list_pg_configs() {
    local path
    candidate_pg_configs | while read -r path; do
        if has_server_headers "$path"; then printf '%s %s\n' "$(major_of "$path")" "$path"; fi
    done | sort --numeric-sort --reverse --key=1,1 --stable
}

# find_pg_config [MAJOR]: prints the path, or nothing when there is none.
find_pg_config() {
    local wanted=${1:-} major path
    while read -r major path; do
        if [[ -n $wanted && $major != "$wanted" ]] || ! is_supported_major "$major"; then continue; fi
        printf '%s\n' "$path"
        return 0
    done < <(list_pg_configs)
}

refuse_unsupported_major() {
    is_supported_major "$1" && return 0
    fail "pg_credit supports PostgreSQL ${SUPPORTED_MAJORS[*]}, and $2 belongs to version $1." \
        "Name another one: make PG_CONFIG=/path/to/pg_config"
}

refuse_missing_pg_config() {
    local found
    found=$(list_pg_configs | awk '{printf "%s%s (version %s)", separator, $2, $1; separator = ", "}')
    fail "No PostgreSQL ${SUPPORTED_MAJORS[0]} to ${SUPPORTED_MAJORS[-1]} with server headers was found${found:+; there is only $found}." \
        "On Debian 12: apt-get install postgresql-15 postgresql-server-dev-15" \
        "Elsewhere, name one: make PG_CONFIG=/path/to/pg_config"
}

choose_pg_config() {
    if [[ -z ${PG_CONFIG:-} ]]; then
        PG_CONFIG=$(find_pg_config "${PG_MAJOR:-}")
        [[ -n $PG_CONFIG ]] || refuse_missing_pg_config
    fi
    command -v "$PG_CONFIG" >/dev/null || fail "PG_CONFIG=$PG_CONFIG is not a program."
    PG_CONFIG=$(command -v "$PG_CONFIG")
    has_server_headers "$PG_CONFIG" || fail "$PG_CONFIG has no server headers (no $("$PG_CONFIG" --includedir-server)/postgres.h)." \
        "On Debian: apt-get install postgresql-server-dev-$(major_of "$PG_CONFIG")"
    PG_MAJOR=$(major_of "$PG_CONFIG")
    refuse_unsupported_major "$PG_MAJOR" "$PG_CONFIG"
    export PG_CONFIG PG_MAJOR
}
