#!/usr/bin/env bash
# Makes a Python environment with what the plot needs: bench/install_matplotlib.sh DIRECTORY
set -euo pipefail

python3 -m venv --clear "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$(dirname "${BASH_SOURCE[0]}")/requirements.txt"
