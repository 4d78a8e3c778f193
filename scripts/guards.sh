#!/usr/bin/env bash
# Writes src/store/verify/guards.txt: what guards the books, as a fresh installation in the server under PGHOST and PGPORT has it. Build and
# install before, and build again after. Run it through `scripts/test.sh`'s server or any other; `make help` says how.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PSQL=${PG_CREDIT_BINDIR:+$PG_CREDIT_BINDIR/}psql
DATABASE=pg_credit_guards_$$

"$PSQL" --no-psqlrc --quiet --dbname=postgres --command="CREATE DATABASE $DATABASE TEMPLATE template0"
trap '"$PSQL" --no-psqlrc --quiet --dbname=postgres --command="DROP DATABASE $DATABASE"' EXIT
"$PSQL" --no-psqlrc --quiet --dbname="$DATABASE" --set=ON_ERROR_STOP=1 --command='CREATE EXTENSION pg_credit'
"$PSQL" --no-psqlrc --quiet --dbname="$DATABASE" --set=ON_ERROR_STOP=1 --no-align --tuples-only --field-separator=$'\t' \
    --command='SELECT kind, object, found FROM credit.guards() WHERE found IS NOT NULL ORDER BY kind COLLATE "C", object COLLATE "C"' \
    >"$REPOSITORY/src/store/verify/guards.txt"
