#!/bin/sh
# Print a Python that is new enough, or say what is missing.
set -eu

for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$candidate"
            exit 0
        fi
        unusable=$candidate
    fi
done
if [ -n "${unusable:-}" ]; then
    echo "$unusable has no venv module. On Debian, type: apt-get install python3-venv" >&2
else
    echo "Python 3.11 or newer is needed. Install one, or name it: make PYTHON=/path/to/python3" >&2
fi
exit 1
