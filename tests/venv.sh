#!/bin/sh
# Makes a virtual environment of pinned packages, once; prints its folder. Messages go to stderr.
#   venv.sh NAME REQUIREMENTS
#   TIDEGATE_CACHE (default ~/.cache/tidegate): where it is kept; PYTHON: which Python makes it
set -eu
name=$1
requirements=$2
cache=${TIDEGATE_CACHE:-$HOME/.cache/tidegate}
python=${PYTHON:-python3}

fail() { echo "tests/venv.sh: $*" >&2; exit 1; }

make_venv() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
        || fail "$("$python" --version) is too old: the tests need Python 3.10 or later (PYTHON=... names another)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
            || fail "Python's venv module is missing (on Debian: apt-get install python3-venv)"
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } >&2
    fi
    echo "installing $(basename "$requirements") into $venv" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install -q --disable-pip-version-check \
        --only-binary=:all: --no-deps -r "$requirements" >&2 || fail "pip could not install $requirements"
    touch "$venv/whole"
}

command -v "$python" >/dev/null 2>&1 || fail "'$python' is missing: install Python 3.10 or later"
venv=$cache/$name-$({ "$python" --version; cat "$requirements"; } | sha256sum | cut -c1-8)
# A virtual environment cannot be moved, so a mark says that it is whole; the lock lets a second
# process wait for the first instead of installing over it.
if [ ! -f "$venv/whole" ]; then
    mkdir -p "$cache"
    (
        flock 9
        [ -f "$venv/whole" ] || make_venv
    ) 9>"$venv.lock"
fi
echo "$venv"
