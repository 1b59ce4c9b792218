#!/bin/sh
# Print the path of a Chromium, bringing one if there is none; $1 is the Python with Playwright.
set -eu

python=$1
installed() {
    "$python" - <<'PYTHON'
from pathlib import Path
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = Path(playwright.chromium.executable_path)
print(path if path.exists() else "")
PYTHON
}

if [ -n "${CHROMIUM:-}" ]; then
    if [ ! -x "$CHROMIUM" ]; then
        echo "CHROMIUM=$CHROMIUM is not a program. Set it to a Chromium, or unset it." >&2
        exit 1
    fi
    echo "$CHROMIUM"
    exit 0
fi
if [ -x /usr/bin/chromium ]; then
    echo /usr/bin/chromium
    exit 0
fi
path=$(installed)
if [ -z "$path" ] && [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    echo "Installing Debian's Chromium for the browser tests…" >&2
    if { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >&2 &&
        [ -x /usr/bin/chromium ]; then
        echo /usr/bin/chromium
        exit 0
    fi
fi
if [ -z "$path" ]; then
    echo "Fetching Playwright's Chromium for the browser tests…" >&2
    "$python" -m playwright install chromium >&2 || true
    path=$(installed)
fi
if [ -z "$path" ]; then
    echo "The browser tests need Chromium. Type: sudo apt-get install chromium (or set CHROMIUM=/path/to/it)" >&2
    exit 1
fi
echo "$path"
