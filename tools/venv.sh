#!/bin/sh
# Make a virtual environment with uv in it: tools/venv.sh FOLDER
# Uses the first Python 3.11 or newer that is found; PYTHON=... chooses another.
set -eu
folder=$1

say() { printf '%s\n' "$*" >&2; }

good() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    if good "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Drawloom needs Python 3.11 or newer, and none was found (looked for: ${PYTHON:-python3, python3.11 to python3.14})."
    say "On Debian 12, Ubuntu 24.04 or newer:  sudo apt-get install python3 python3-venv"
    say "Elsewhere, name one:  make PYTHON=/path/to/python3.11 run"
    exit 1
fi

# Kept if it works already, so that a new lock does not start from nothing.
if ! good "$folder/bin/python"; then
    say "Making a virtual environment in $folder with $("$python" --version) ..."
    rm -rf "$folder"
    if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        "$python" -m venv "$folder"
    elif "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip "$folder"; then
        : # Debian splits ensurepip off; the pip that is there can install into the new one.
    else
        rm -rf "$folder"
        say "This Python has no venv (ensurepip is missing)."
        say "On Debian or Ubuntu:  sudo apt-get install python3-venv"
        exit 1
    fi
fi

if "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement requirements/uv.txt
else
    "$python" -m pip --python "$folder/bin/python" install --quiet --disable-pip-version-check \
        --require-hashes --requirement requirements/uv.txt
fi
