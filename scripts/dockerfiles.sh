#!/bin/sh
# Write Dockerfile.worker and Dockerfile.socket: Dockerfile with another command. A Dockerfile
# cannot include another one, and each must build by itself, with nothing built before it.
set -eu

for role in worker socket; do
    {
        echo "# Made from Dockerfile by \`make dockerfiles\`: change that one."
        sed "s/^CMD .*/CMD [\"$role\"]/" Dockerfile
    } >"Dockerfile.$role"
done
