# shellcheck shell=bash
# The built packages under target/, and whether they are up to date. Sourced by the other scripts, after
# progress.sh and find_postgres.sh.
#
# A build with test functions and one without overwrite each other's library in cargo's own directory, so cargo
# compiles again whenever they take turns. A stamp beside each package saves that while no source has changed.

package_directory() {
    printf '%s' "$REPOSITORY/target/package/$PG_MAJOR"
}

pg_test_package_directory() {
    printf '%s' "$REPOSITORY/target/pg_test/$PG_MAJOR"
}

list_sources() {
    local path
    for path in "$REPOSITORY"/{Cargo.toml,Cargo.lock,pg_credit.control,rust-toolchain.toml,.cargo,src,sql,scripts/build.sh}; do
        if [[ -e $path ]]; then printf '%s\n' "$path"; fi
    done
}

# Directories count as well: their time changes when a file in them is removed.
is_package_current() {
    local stamp=$1.stamp sources
    [[ -e $stamp && -d $1 && $(<"$stamp") == "$PG_CONFIG" ]] || return 1
    mapfile -t sources < <(list_sources)
    [[ -z $(find "${sources[@]}" -newer "$stamp" -print -quit) ]]
}

# The stamp is as old as the build's beginning: what is edited during the build is not in it.
begin_stamp() {
    mkdir -p "$(dirname "$1")"
    rm -f "$1.stamp"
    printf '%s\n' "$PG_CONFIG" >"$1.stamp.new"
}

finish_stamp() {
    mv "$1.stamp.new" "$1.stamp"
}
