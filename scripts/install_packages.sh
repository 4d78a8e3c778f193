#!/usr/bin/env bash
# Installs Debian packages: scripts/install_packages.sh "sudo env" PACKAGE...
set -euo pipefail

read -ra AS_ROOT <<<"$1"
shift

# Installing Debian's server package creates and starts a cluster of its own on port 5432. We start our own
# throwaway server instead, so ask for none, for the duration of the installation only.
NO_CLUSTER=/etc/postgresql-common/createcluster.d/pg_credit_no_main_cluster.conf

forget_no_cluster() {
    "${AS_ROOT[@]}" rm -f "$NO_CLUSTER"
}

trap forget_no_cluster EXIT
"${AS_ROOT[@]}" mkdir -p "$(dirname "$NO_CLUSTER")"
printf 'create_main_cluster = false\n' | "${AS_ROOT[@]}" tee "$NO_CLUSTER" >/dev/null
"${AS_ROOT[@]}" apt-get update
"${AS_ROOT[@]}" DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
