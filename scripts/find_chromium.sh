#!/usr/bin/env bash
# Prints the path of a Chromium on this machine; fails when there is none.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    command -v "$name" && exit 0
done
exit 1
