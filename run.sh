#!/usr/bin/env bash
# Sets up an environment once, then trains an experiment of the paper, or runs the tests.
set -euo pipefail

export GMVAE_COMMAND="$0 gmvae" # the name of the command in messages
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'EOF'
usage: ./run.sh EXPERIMENT [flags]    train an experiment of the paper, such as spiral
       ./run.sh test [flags]          run the tests; the flags are pytest's
       ./run.sh gmvae COMMAND ...     any other command: plot, resume, ...

./run.sh EXPERIMENT --help lists the flags. The original code's flags (-cvWeight 0.0, -gpu 1) work too.
The first call makes .venv and installs into it; GMVAE_PYTHON names another Python to install into and use.
EOF
}

fail() {
  echo "run.sh: $1" >&2
  exit 2
}

# Sets $python to the Python of the environment, and makes and fills that environment if necessary.
# The stamp has everything that the installation depends on, so a change installs again.
set_up() {
  local extras=$1 stamp
  if [ -n "${GMVAE_PYTHON:-}" ]; then
    python=$(command -v -- "$GMVAE_PYTHON") || fail "GMVAE_PYTHON is $GMVAE_PYTHON: there is no such program"
  else
    python=$root/.venv/bin/python
    if ! "$python" -c '' 2>/dev/null; then
      echo "run.sh: making $root/.venv" >&2
      rm -rf "$root/.venv"
      python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "python3 is older than 3.11: install a newer one, or name it in GMVAE_PYTHON"
      python3 -m venv "$root/.venv" || fail "python3 -m venv failed: install Python's venv module"
    fi
  fi
  stamp=$("$python" -c 'import sys; print(sys.prefix)')/.gmvae$extras
  if ! { echo "$root"; cat "$root/pyproject.toml" "$root/constraints.txt"; } | cmp -s - "$stamp"; then
    echo "run.sh: installing gmvae$extras and what it needs (once; this takes a minute or more)" >&2
    "$python" -m pip install --quiet --disable-pip-version-check \
      --constraint "$root/constraints.txt" --editable "$root$extras" >&2 || fail "the installation failed"
    { echo "$root"; cat "$root/pyproject.toml" "$root/constraints.txt"; } >"$stamp"
  fi
}

case ${1:-} in
  "" | -h | --help | help)
    usage
    [ -n "${1:-}" ] || exit 2
    ;;
  test)
    set_up '[test]'
    cd -- "$root"
    # on all cores, each test file in a single process; -n 0 runs all tests in this process. If a process
    # crashes, the whole run ends, because xdist would wait forever for a new one.
    exec "$python" -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --max-worker-restart 0 "${@:2}"
    ;;
  gmvae)
    set_up ''
    exec "$python" -m gmvae "${@:2}"
    ;;
  *)
    set_up ''
    exec "$python" -m gmvae.cli.original "$@"
    ;;
esac
