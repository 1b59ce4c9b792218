#!/bin/sh
# Write requirements.lock (what runs) and requirements-dev.lock (what builds and tests it too):
# one resolution for every platform, each file pinned by hash, no registry named.
set -eu

PATH=$PATH:.venv/bin
compile() {
    output=$1
    shift
    uv pip compile pyproject.toml "$@" ${UPGRADE:+--upgrade} --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
        --output-file "$output" >/dev/null
    if grep -n '://' "$output" >&2; then
        echo "$output names a host: only packages and hashes belong there." >&2
        exit 1
    fi
}
compile requirements-dev.lock --extra postgres --group dev
compile requirements.lock --extra postgres --constraints requirements-dev.lock
