#!/bin/sh
# Install what is measured beside us, each lock file in a virtual environment of its own.
set -eu

for name in peers arq; do
    venv=benchmarks/.venv-$name
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$venv"
        "$(sh scripts/python.sh)" -m venv "$venv"
    fi
    echo "Installing the peers of $venv…" >&2
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes \
        --requirement "benchmarks/requirements-$name.lock"
done
