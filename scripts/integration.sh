#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs pytest with the given arguments, in files of its own below CACHE.
#
# Several thousand tests with real servers share two cores, and now and then one of them fails because
# its neighbours starve it. Where AGAIN is a number, up to that many failures run once more when the
# rest is done, one by one. What fails then, fails. What passes is named in the closing lines, because
# it may as well be a race in what is tested: mend it.
#
# usage: CACHE=FOLDER [AGAIN=5] scripts/integration.sh ARGUMENT...
set -uo pipefail

rm -f "$CACHE/v/cache/lastfailed"
"${PYTHON:-python3}" -m pytest -o "cache_dir=$CACHE" "$@"
status=$?
if [ "$status" -ne 1 ] || [ "${AGAIN:-0}" -eq 0 ]; then # 1: tests failed, and nothing worse
    exit "$status"
fi
failed=$("${PYTHON:-python3}" -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' \
    "$CACHE/v/cache/lastfailed") || exit "$status"
if [ "$(wc -l <<< "$failed")" -gt "$AGAIN" ]; then
    exit "$status"
fi
printf 'Once more, one by one:\n%s\n' "$failed"
"${PYTHON:-python3}" -m pytest -o "cache_dir=$CACHE" "$@" -n 0 \
    --last-failed --last-failed-no-failures none
status=$?
if [ "$status" -eq 0 ]; then
    printf 'UNSTABLE, failed beside others and passed alone: %s\n' "${failed//$'\n'/ }"
fi
exit "$status"
