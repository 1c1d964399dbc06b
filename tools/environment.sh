# Shared by ./demo and ./check: a virtual environment in .venv, made where there is none.

say() { if [ -t 2 ]; then printf "\n\033[1m%s\033[0m\n" "$*"; else printf "\n%s\n" "$*"; fi >&2; }

find_python() { # prints the newest that will do
    local python
    for python in python3.13 python3.12 python3.11 python3; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

set_up() { # what to install, as pip takes it
    local python
    python=$(find_python) || { say "Python 3.11 or newer is needed, and is none of python3.13, python3.12, python3.11, python3"; exit 1; }
    if [ ! -x .venv/bin/pip ]; then
        say "Making a virtual environment in .venv, with $python"
        if ! "$python" -m venv .venv >/dev/null 2>&1; then
            rm -rf .venv
            say "$python has no module venv, or no pip for it; on Debian and Ubuntu: sudo apt-get install python3-venv"
            exit 1
        fi
    fi
    local installed
    installed="$1 in $PWD, of $(cksum <pyproject.toml)"
    if [ "$(cat .venv/installed.txt 2>/dev/null)" = "$installed" ]; then return; fi
    say "Installing claude-proxy and what it needs into .venv; the first time this takes half a minute or so"
    waiting .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$1"
    echo "$installed" >.venv/installed.txt # the next time there is nothing to do
}

waiting() { # a command, with a dot a second at a terminal
    if [ ! -t 2 ]; then "$@"; return; fi
    (while sleep 1 && kill -0 $$ 2>/dev/null; do printf . >&2; done) & # until this script is gone, Ctrl-C or not
    local dots=$! status=0
    "$@" || status=$?
    kill "$dots"
    wait "$dots" 2>/dev/null || true
    echo >&2
    return "$status"
}
