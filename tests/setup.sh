#!/bin/sh
# Makes what the Python tests need, once: a virtual environment with the pinned packages, and the
# jars of a real Kafka broker. Prints the environment's python. Messages go to stderr.
#   TIDEGATE_CACHE (default ~/.cache/tidegate): where all of it is kept
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${TIDEGATE_CACHE:-$HOME/.cache/tidegate}
python=${PYTHON:-python3}

fail() { echo "tests/setup.sh: $*" >&2; exit 1; }

command -v "$python" >/dev/null 2>&1 || fail "'$python' is missing: install Python 3.10 or later"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
    || fail "$("$python" --version) is too old: the tests need Python 3.10 or later (PYTHON=... names another)"
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
        || fail "Python's venv module is missing (on Debian: apt-get install python3-venv)"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } >&2
fi

venv=$cache/venv-$({ "$python" --version; cat "$here/requirements.txt"; } | sha256sum | cut -c1-8)
# A virtual environment cannot be moved, so a mark says that it is whole; the lock lets a second
# process wait for the first instead of installing over it.
if [ ! -f "$venv/whole" ]; then
    mkdir -p "$cache"
    (
        flock 9
        if [ ! -f "$venv/whole" ]; then
            echo "making the tests' Python environment in $venv" >&2
            rm -rf "$venv"
            "$python" -m venv "$venv" >&2
            "$venv/bin/python" -m pip install -q --disable-pip-version-check \
                --only-binary=:all: --no-deps -r "$here/requirements.txt" >&2 || fail "pip could not install tests/requirements.txt"
            touch "$venv/whole"
        fi
    ) 9>"$venv.lock"
fi
"$here/kafka/fetch.sh" >/dev/null
echo "$venv/bin/python"
