#!/bin/sh
# Is the GPU of this CI machine usable? For a CI that has neither our GitHub action nor our GitLab component.
#
#   sh ci_smoke.sh [options of gpucheck smoke]              e.g. --expect gpu.toml --fail-under 5
#   sh ci_smoke.sh --simulate driver-version-mismatch       see the job go red
#
# It makes an environment of its own for gpucheck, runs `gpucheck smoke`, leaves the report as a file to keep, and ends
# with gpucheck's exit code: 0 fine, 1 an error was found, 2 wrong usage, 3 could not tell (or not be installed).
#
#   GPUCHECK_SOURCE        what pip installs: gpucheck-cli (the default), gpucheck-cli==1.2.3, a wheel, a checkout
#   GPUCHECK_REQUIREMENTS  a file with hashes, to install exactly that instead (pip's --require-hashes)
#   GPUCHECK_COMMAND       smoke (the default) or doctor
#   GPUCHECK_FORMAT        junit (the default), json; with doctor also sarif, markdown, html …
#   GPUCHECK_REPORT        where the report goes: gpucheck-report.xml, unless the format has another ending
#   GPUCHECK_VENV          a folder to keep gpucheck's environment in; the default is a temporary one
#   GPUCHECK_RUNS_ON       the Python (3.10 or newer) for that environment: gpucheck's own, not the examined one
set -eu

say() { printf 'ci_smoke: %s\n' "$*" >&2; }
give_up() { say "$*"; exit 3; }

own_python() {
  for candidate in "${GPUCHECK_RUNS_ON:-}" python3 python python3.14 python3.13 python3.12 python3.11 python3.10; do
    if [ -n "$candidate" ] &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
}

command=${GPUCHECK_COMMAND:-smoke}
format=${GPUCHECK_FORMAT:-junit}
case $format in
  junit) ending=xml ;;
  markdown) ending=md ;;
  prometheus) ending=prom ;;
  *) ending=$format ;;
esac
report=${GPUCHECK_REPORT:-gpucheck-report.$ending}
venv=${GPUCHECK_VENV:-}
if [ -z "$venv" ]; then
  temporary=$(mktemp -d "${TMPDIR:-/tmp}/gpucheck-ci.XXXXXX") || give_up "no temporary folder"
  trap 'rm -rf "$temporary"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  venv=$temporary/venv
fi

install() {
  python=$(own_python)
  [ -n "$python" ] || give_up "gpucheck itself needs a Python 3.10 or newer, beside the one that it examines"
  "$python" -m venv "$venv" >&2 || give_up "$python -m venv did not work (Debian, Ubuntu: apt install python3-venv)"
  if [ -n "${GPUCHECK_REQUIREMENTS:-}" ]; then
    set -- --require-hashes --requirement "$GPUCHECK_REQUIREMENTS"
  else
    set -- "${GPUCHECK_SOURCE:-gpucheck-cli}"
  fi
  PIP_USER=0 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" >&2 ||
    give_up "pip could not install $*"
}

[ -x "$venv/bin/gpucheck" ] || install
rm -f "$report"
code=0
"$venv/bin/gpucheck" "$command" "$@" --format "$format" --output "$report" || code=$?
if [ -s "$report" ]; then
  say "exit code $code; the report is $report"
elif [ "$code" -eq 0 ]; then
  give_up "gpucheck ended well and left no report"
fi
exit "$code"
