# Sourced by tools/check and tools/quickstart, which set $root: virtual environments of this project's own.

# environment_is_current FOLDER CONSTRAINTS: what it was made from is in it, so it is not current any more once setup.cfg
# or the versions have changed, or if it was not finished.
environment_is_current() { cat "$root/setup.cfg" "$root/constraints/$2.txt" | cmp -s "$1/made_from" -; }

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

# make_environment FOLDER LAST_MINOR CONSTRAINTS WHAT...: anew, with the versions and digests of constraints/CONSTRAINTS.txt,
# and then with WHAT, which pip is told to install, by itself.
make_environment() {
  local folder=$1 last_minor=$2 constraints=$3 python
  shift 3
  python=$(find_python "$last_minor")
  echo "making $folder with $("$python" --version) (once; downloads TensorFlow)"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  # No sources: what builds them would come without a digest.
  "$folder/bin/python" -m pip install --quiet --require-hashes --only-binary :all: --requirement "$root/constraints/$constraints.txt"
  "$folder/bin/python" -m pip install --quiet --no-deps --no-build-isolation "$@"
  cat "$root/setup.cfg" "$root/constraints/$constraints.txt" > "$folder/made_from"
}
