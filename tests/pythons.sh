#!/usr/bin/env bash
# All fast tests with every Python this library is for: a line for each, status 1 where one fails.
#
#     bash tests/pythons.sh                        3.11, 3.12 and 3.13, those at hand
#     bash tests/pythons.sh 3.12 3.13 -k geometry  these two, and pytest's own words after them
#
# A Python is looked for on PATH and in pyenv's folder. Each gets an environment of its own in
# build/pythons/, with requirements.lock as pip's indices serve it (6 GB with a CUDA build of torch).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

versions=()
while [[ "${1:-}" =~ ^3\.[0-9]+$ ]]; do versions+=("$1"); shift; done
[ ${#versions[@]} -gt 0 ] || versions=(3.11 3.12 3.13)

# The first interpreter of a version that runs; pyenv's stand-ins on PATH may be there and not run.
find_python() {
    local one
    for one in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if [ "$("$one" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)" = "$1" ]
        then echo "$one"; return; fi
    done
}

# An environment whose `.ok` is older than the lock is half an installation, or an old one.
make_environment() { # python folder
    if [ "$2/.ok" -nt requirements.lock ]; then return; fi
    rm -rf "$2"
    "$1" -m venv "$2" \
        && "$2/bin/python" -m pip install -qq --disable-pip-version-check -r requirements.lock \
        && touch "$2/.ok"
}

status=0
for version in "${versions[@]}"; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version: not at hand, skipped"
        continue
    fi
    folder=build/pythons/$version
    mkdir -p build/pythons
    if ! make_environment "$python" "$folder" > "$folder.log" 2>&1; then
        tail -5 "$folder.log" >&2
        echo "Python $version: requirements.lock could not be installed ($folder.log)"
        status=1
        continue
    fi
    full=$("$folder/bin/python" --version)
    if "$folder/bin/python" -m pytest -m "not workflow" -p no:cacheprovider "$@" \
        > "$folder.log" 2>&1
    then outcome=passed; else outcome=FAILED; status=1; grep -E '^(FAILED|ERROR)' "$folder.log" || true; fi
    echo "$full: $outcome: $(tail -1 "$folder.log" | tr -d =) ($folder.log)"
done
exit $status
