#!/bin/sh
# Makes what the Python tests need, once: a virtual environment with the pinned packages, and the
# jars of a real Kafka broker. Prints the environment's python. Messages go to stderr.
#   TIDEGATE_CACHE (default ~/.cache/tidegate): where all of it is kept
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$("$here/venv.sh" venv "$here/requirements.txt")
"$here/kafka/fetch.sh" >/dev/null
echo "$venv/bin/python"
