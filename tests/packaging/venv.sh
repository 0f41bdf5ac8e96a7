# SPDX-License-Identifier: MIT
#
#   . venv.sh; venv FOLDER PACKAGE...
#
# Tools from PyPI that the system may lack or have too new, in a virtual environment of the test's own. It stays for the
# next run. Where it can't be had, the test is skipped and says why.
venv() {
  folder=$1
  shift
  [ ! -e "$folder/complete" ] || return 0
  command -v python3 >/dev/null 2>&1 || { echo "skipped: python3 is not here"; exit 77; }
  rm -rf "$folder"
  python3 -m venv "$folder" >"$folder.log" 2>&1 || { cat "$folder.log"; echo "skipped: python3 has no venv"; exit 77; }
  "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 "$@" >"$folder.log" 2>&1 ||
    { cat "$folder.log"; echo "skipped: PyPI does not give $*"; exit 77; }
  : >"$folder/complete"
}
