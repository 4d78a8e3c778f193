# shellcheck shell=bash
# Progress for people: one line per step with its elapsed time. Sourced by the other scripts.
#
# A step's output goes to a log file under target/log, named on its line; when the step fails, the end of the
# log is printed. Colour and the running clock appear on a terminal only.

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LOG_ROOT=$REPOSITORY/target/log
LOG_TAIL_LINES=${LOG_TAIL_LINES:-60}

TICKER_PID=
COLOUR_GOOD='' COLOUR_BAD='' COLOUR_TITLE='' COLOUR_OFF=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    COLOUR_GOOD=$'\e[32m' COLOUR_BAD=$'\e[31m' COLOUR_TITLE=$'\e[1m' COLOUR_OFF=$'\e[0m'
fi

say() {
    printf '%s\n' "$*"
}

say_title() {
    printf '\n%s%s%s\n' "$COLOUR_TITLE" "$*" "$COLOUR_OFF"
}

# Prints what went wrong and what to do, one argument per line, and ends the script.
fail() {
    printf '%serror:%s %s\n' "$COLOUR_BAD" "$COLOUR_OFF" "$1" >&2
    shift
    if (($# > 0)); then
        printf '       %s\n' "$@" >&2
    fi
    exit 1
}

log_path() {
    local path=$LOG_ROOT/$1.log
    mkdir -p "$(dirname "$path")"
    printf '%s' "$path"
}

shorten_path() {
    printf '%s' "${1#"$REPOSITORY"/}"
}

start_ticker() {
    local line=$1 started=$SECONDS parent=$$
    [[ -t 1 ]] || return 0
    (
        trap - EXIT INT TERM
        while kill -0 "$parent" 2>/dev/null; do
            printf '\r%s ... %d s' "$line" "$((SECONDS - started))"
            sleep 1
        done
    ) &
    TICKER_PID=$!
}

# Also called from the cleanup traps, so that no clock outlives its script.
stop_ticker() {
    [[ -n $TICKER_PID ]] || return 0
    kill "$TICKER_PID" 2>/dev/null || true
    wait "$TICKER_PID" 2>/dev/null || true
    TICKER_PID=
    printf '\r\e[K'
}

# run_step TITLE LOG COMMAND...: runs COMMAND with its output in target/log/LOG.log and returns its status.
# COMMAND is a program, not a shell function: bash ignores `set -e` inside a function whose status is tested.
run_step() {
    local title=$1 log started=$SECONDS status=0 line
    log=$(log_path "$2")
    shift 2
    line="  $title (log: $(shorten_path "$log"))"
    if [[ -t 1 ]]; then start_ticker "$line"; else printf '%s' "$line"; fi
    "$@" >"$log" 2>&1 || status=$?
    if [[ -t 1 ]]; then stop_ticker && printf '%s' "$line"; fi
    STEP_SECONDS=$((SECONDS - started))
    if ((status == 0)); then
        printf ' ... %sok%s, %d s\n' "$COLOUR_GOOD" "$COLOUR_OFF" "$STEP_SECONDS"
    else
        printf ' ... %sFAILED%s (exit %d), %d s\n' "$COLOUR_BAD" "$COLOUR_OFF" "$status" "$STEP_SECONDS"
        say "  the last $LOG_TAIL_LINES lines of $log:"
        tail -n "$LOG_TAIL_LINES" "$log" | sed 's/^/    /'
    fi
    return "$status"
}

# run_here TITLE FUNCTION...: the same line for a short shell function, which keeps its variables and `set -e`.
run_here() {
    local title=$1 started=$SECONDS
    shift
    printf '  %s' "$title"
    "$@"
    printf ' ... %sok%s, %d s\n' "$COLOUR_GOOD" "$COLOUR_OFF" "$((SECONDS - started))"
}
