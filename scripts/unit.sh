#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs unit test programs. Prints the runner's closing lines of each, and all that a failing one
# said.
#
# usage: scripts/unit.sh PROGRAM...
set -uo pipefail

failed=()
for program in "$@"; do
    output=$(timeout 300 "$program" 2>&1)
    status=$?
    closing=$(printf '%s\n' "$output" | grep -E '^\[ +(PASSED|FAILED) +\]' | head -n 2 | tr '\n' ' ')
    if [ "$status" -ne 0 ]; then
        failed+=("$(basename "$program")")
        printf '%s\n' "$output"
        closing+="ended with status $status"
    fi
    printf '%-28s %s\n' "$(basename "$program")" "${closing:-ran no test}"
done
printf 'unit tests: %d programs, %d failed%s\n' "$#" "${#failed[@]}" \
    "${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
