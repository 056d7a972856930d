#!/bin/sh
# Makes the tools of the deployment, once, each in an environment of its own, since their packages
# exclude each other's. Prints the `bin` folder of each that is asked for, one a line.
#   setup.sh [sam|ministack|cargo-lambda|checkov]...      default: the first three
#   TIDEGATE_CACHE (default ~/.cache/tidegate): where all of it is kept
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- sam ministack cargo-lambda

# They come from the network: side by side. Each has a lock of its own.
for tool in "$@"; do
    [ -f "$here/$tool.txt" ] || { echo "tests/aws/setup.sh: there is no $tool.txt" >&2; exit 1; }
done
waiting=
for tool in "$@"; do
    "$here/../venv.sh" "$tool" "$here/$tool.txt" >/dev/null &
    waiting="$waiting $!"
done
for one in $waiting; do wait "$one"; done
for tool in "$@"; do
    echo "$("$here/../venv.sh" "$tool" "$here/$tool.txt")/bin"
done
