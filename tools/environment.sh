# Sourced by tools/check and tools/quickstart, which set $root: virtual environments of this project's own.

# What a folder was made from is in it: not current any more once setup.cfg has changed, or if it was not finished.
environment_is_current() { cmp -s "$1/made_from" "$root/setup.cfg"; }

# The first interpreter on the PATH from Python 3.10 to 3.$1.
find_python() {
  local candidate
  for candidate in python3.11 python3.12 python3.13 python3.10 python3 python; do
    if "$candidate" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $1))" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  echo "${0##*/}: no Python 3.10 to 3.$1 found on the PATH; install one and try again." >&2
  return 1
}

# make_environment FOLDER LAST_MINOR WHAT...: anew, with what pip is told to install.
make_environment() {
  local folder=$1 last_minor=$2 python
  shift 2
  python=$(find_python "$last_minor")
  echo "making $folder with $("$python" --version) (once; downloads TensorFlow)"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --upgrade pip
  "$folder/bin/python" -m pip install --quiet "$@"
  cp "$root/setup.cfg" "$folder/made_from"
}
