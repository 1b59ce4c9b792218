#!/bin/sh
# Write the lock files of the peers again: hashes for every platform, no registry named.
set -eu

cd "$(dirname "$0")"
PATH=$PATH:../.venv/bin
for name in peers arq; do
    uv pip compile "requirements-$name.in" ${UPGRADE:+--upgrade} --universal \
        --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --quiet \
        --output-file "requirements-$name.lock" >/dev/null
    if grep -n '://' "requirements-$name.lock" >&2; then
        echo "requirements-$name.lock names a host: only packages and hashes belong there." >&2
        exit 1
    fi
done
