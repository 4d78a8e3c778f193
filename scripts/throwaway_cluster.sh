# shellcheck shell=bash
# A PostgreSQL of our own, in a directory that goes away again. Sourced by the other scripts, after progress.sh
# and find_postgres.sh.
#
# PostgreSQL finds its files relative to its own programs. So a throwaway server runs from a private copy of the
# server's files with our extension put into it: nothing is written to the machine's PostgreSQL, and no privileges
# are needed. It listens on a Unix socket in its own directory and on no port. PostgreSQL refuses to run as root;
# for root it runs as the user postgres, or nobody where there is none.
#
#   create_throwaway PACKAGE     a directory with the server's files and the built extension: THROWAWAY
#   add_to_throwaway DIRECTORY   the files of another extension, unpacked there
#   initialise_throwaway LINE...  a new cluster in it; each LINE goes into postgresql.conf
#   start_throwaway, stop_throwaway, remove_throwaway
#   export_throwaway             PGHOST, PGPORT, PGUSER and the PG_CREDIT_* variables for its clients

THROWAWAY=
SERVER_PREFIX=()
# A marker: nothing without it is ever removed.
THROWAWAY_MARKER=pg_credit_throwaway
# A socket's path may be 107 bytes long; this is for the directory, before "/socket/.s.PGSQL.5432".
LONGEST_DIRECTORY=80

# A user's settings for other servers must not leak into ours.
forget_client_settings() {
    local name
    for name in $(compgen -e PG); do
        case $name in
        PG_CONFIG | PG_MAJOR | PG_CREDIT_*) ;;
        *) unset "$name" ;;
        esac
    done
}

choose_server_user() {
    local user=postgres
    SERVER_PREFIX=()
    [[ $(id -u) == 0 ]] || return 0
    id "$user" >/dev/null 2>&1 || user=nobody
    SERVER_PREFIX=(setpriv "--reuid=$(id -u "$user")" "--regid=$(id -g "$user")" --clear-groups)
}

# The backtrace variables are unset because pgrx would put backtraces into users' error details.
as_server_user() {
    (cd "$THROWAWAY" && exec "${SERVER_PREFIX[@]}" env -u RUST_BACKTRACE -u RUST_LIB_BACKTRACE LC_ALL=C.UTF-8 TZ=UTC "HOME=$THROWAWAY" "$@")
}

# TMPDIR may be too long for a socket, or closed to the server's user.
choose_parent_directory() {
    local parent=${TMPDIR:-/tmp}
    if ((${#parent} > LONGEST_DIRECTORY - 20)) || ! "${SERVER_PREFIX[@]}" test -x "$parent" -a -w "$parent"; then parent=/tmp; fi
    printf '%s' "$parent"
}

# The directories keep their absolute paths under the tree, and with them their places relative to each other.
copy_server_files() {
    local directory
    for directory in "$("$PG_CONFIG" --bindir)" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)"; do
        tar --directory=/ --exclude=pgxs --exclude=bitcode --exclude='*.a' --create --file=- "${directory#/}" |
            tar --directory="$THROWAWAY/tree" --no-same-owner --extract --file=-
    done
}

create_throwaway() {
    local package=$1
    choose_server_user
    THROWAWAY=$(mktemp -d "$(choose_parent_directory)/pg_credit.XXXXXX")
    touch "$THROWAWAY/$THROWAWAY_MARKER"
    mkdir "$THROWAWAY/tree" "$THROWAWAY/socket" "$THROWAWAY/scratch"
    copy_server_files
    cp -R "$package/." "$THROWAWAY/tree/"
    chmod -R a+rX "$THROWAWAY/tree"
    if ((${#SERVER_PREFIX[@]} > 0)); then
        chown "${SERVER_PREFIX[1]#--reuid=}:${SERVER_PREFIX[2]#--regid=}" "$THROWAWAY" "$THROWAWAY/socket" "$THROWAWAY/scratch"
    fi
    # Clients that are root may need to put files where a server of another user reads them.
    chmod 755 "$THROWAWAY" "$THROWAWAY/socket" "$THROWAWAY/scratch"
    locate_throwaway
}

# Another extension's files, laid out as in the root directory.
add_to_throwaway() {
    cp -R "$1/usr/lib" "$1/usr/share" "$THROWAWAY/tree/usr/"
    chmod -R a+rX "$THROWAWAY/tree"
}

# Everything that follows from THROWAWAY and PG_CONFIG; also used when an earlier demo's directory is opened again.
locate_throwaway() {
    SERVER_BINDIR=$THROWAWAY/tree$("$PG_CONFIG" --bindir)
    SERVER_DATA=$THROWAWAY/data
    SERVER_LOG=$THROWAWAY/server.log
}

initialise_throwaway() {
    as_server_user "$SERVER_BINDIR/initdb" --pgdata="$SERVER_DATA" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >/dev/null
    {
        printf "listen_addresses = ''\n"
        printf "unix_socket_directories = '%s'\n" "$THROWAWAY/socket"
        printf "port = 5432\nmax_connections = 100\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n"
        printf '%s\n' "$@"
    } | as_server_user tee -a "$SERVER_DATA/postgresql.conf" >/dev/null
}

start_throwaway() {
    local status=0
    as_server_user "$SERVER_BINDIR/pg_ctl" start --pgdata="$SERVER_DATA" --log="$SERVER_LOG" --wait --timeout=60 >/dev/null || status=$?
    ((status == 0)) || fail "The throwaway server did not start." "$(tail -n 20 "$SERVER_LOG" 2>/dev/null)"
}

is_throwaway_running() {
    as_server_user "$SERVER_BINDIR/pg_ctl" status --pgdata="$SERVER_DATA" >/dev/null 2>&1
}

stop_throwaway() {
    if is_throwaway_running; then
        as_server_user "$SERVER_BINDIR/pg_ctl" stop --pgdata="$SERVER_DATA" --mode=fast --wait --timeout=60 >/dev/null || stop_at_once
    fi
}

stop_at_once() {
    as_server_user "$SERVER_BINDIR/pg_ctl" stop --pgdata="$SERVER_DATA" --mode=immediate --wait >/dev/null || true
}

# Tests start clusters of their own under scratch; one that was interrupted may have left a server there.
stop_servers_in_scratch() {
    local pid_file
    while read -r pid_file; do
        as_server_user "$SERVER_BINDIR/pg_ctl" stop --pgdata="$(dirname "$pid_file")" --mode=immediate --wait >/dev/null 2>&1 || true
    done < <(find "$THROWAWAY/scratch" -name postmaster.pid 2>/dev/null)
}

remove_throwaway() {
    [[ -n $THROWAWAY && -e $THROWAWAY/$THROWAWAY_MARKER ]] || return 0
    locate_throwaway
    if [[ -d $SERVER_DATA ]]; then stop_throwaway; fi
    stop_servers_in_scratch
    rm -rf "$THROWAWAY"
    THROWAWAY=
}

# Removes the throwaway however the script ends: done, failed or interrupted.
remove_throwaway_at_exit() {
    trap 'stop_ticker; remove_throwaway' EXIT
    exit_on_signals
}

exit_on_signals() {
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

export_throwaway() {
    export PGHOST=$THROWAWAY/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
    export PG_CREDIT_MAJOR=$PG_MAJOR
    export PG_CREDIT_BINDIR=$SERVER_BINDIR
    export PG_CREDIT_RUN_AS="${SERVER_PREFIX[*]}"
    export PG_CREDIT_SCRATCH=$THROWAWAY/scratch
}
