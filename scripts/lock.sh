#!/bin/sh
# Write requirements.lock (what runs), requirements-build.lock (what makes the wheel) and
# requirements-dev.lock (both, and what tests them): one resolution for every platform, each file pinned by hash, no registry named.
set -eu

PATH=$PATH:.venv/bin
compile() {
    output=$1
    shift
    uv pip compile "$@" ${UPGRADE:+--upgrade} --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
        --output-file "$output" >/dev/null
    if grep -n '://' "$output" >&2; then
        echo "$output names a host: only packages and hashes belong there." >&2
        exit 1
    fi
}
compile requirements-dev.lock pyproject.toml --extra postgres --group dev
compile requirements.lock pyproject.toml --extra postgres --constraints requirements-dev.lock
compile requirements-build.lock --group build --constraints requirements-dev.lock
