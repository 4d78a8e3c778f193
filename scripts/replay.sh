#!/usr/bin/env bash
# Replays a trace of LLM requests as debits, in the database that the PG* environment names, and reports.
#
#   scripts/replay.sh CSV [ACCOUNT]
#
# CSV has a header line and the columns TIMESTAMP (in UTC), ContextTokens and GeneratedTokens; lines may end in CRLF.
# The database has the extension pg_credit and nothing in ACCOUNT (default: replay) yet; the user is a superuser, because
# credit.clock moves with the trace. Fails unless the ledger equals the file and credit_verify() finds nothing.
set -euo pipefail

SCRIPTS=$(dirname "${BASH_SOURCE[0]}")
PSQL=${PG_CREDIT_BINDIR:+$PG_CREDIT_BINDIR/}psql

if (($# < 1 || $# > 2)); then
    printf 'usage: scripts/replay.sh CSV [ACCOUNT]\n' >&2
    exit 2
fi
if [[ ! -r $1 ]]; then
    printf 'error: %s cannot be read\n' "$1" >&2
    exit 1
fi
export PGCLIENTENCODING=UTF8
name=$(basename "$1")
exec "$PSQL" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=account="${2:-replay}" --set=file="$name" \
    --file="$SCRIPTS/replay.sql" <"$1"
