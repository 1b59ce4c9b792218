#!/bin/sh
# Make the virtual environment at $1 hold exactly what requirements-dev.lock says, and ourselves.
set -eu

venv=$1
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(sh scripts/python.sh)
    echo "Setting up $venv with $("$python" --version)…" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "Installing the Python packages…" >&2
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
pip install --require-hashes --requirement requirements-dev.lock
pip install --no-deps --no-build-isolation --editable .
