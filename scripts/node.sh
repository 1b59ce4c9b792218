#!/bin/sh
# Say so if Node is missing or too old.
set -eu

wanted="Node 20.19 or newer (with npm) is needed"
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    echo "$wanted. On Debian, type: apt-get install nodejs npm; on macOS: brew install node" >&2
    exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
              process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    echo "$wanted; this one is $(node --version)." >&2
    exit 1
fi
