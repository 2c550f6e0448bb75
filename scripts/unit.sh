#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs unit test programs, UNIT_JOBS (4) at once: much of their time they wait. Prints the runner's
# closing lines of each, and all that a failing one said. Up to AGAIN (0) programs that fail run once more
# alone; see scripts/integration.sh.
#
# usage: [AGAIN=5] scripts/unit.sh PROGRAM...
set -uo pipefail

results=$(mktemp -d)
pki=
trap 'rm -rf "$results" ${pki:+"$pki"}' EXIT
export results
# Seconds that one program may take. ThreadSanitizer makes some of them ten times slower.
export limit=300
[ -z "${DEVTRUST_SAN:-}" ] || limit=900

# All programs share one test PKI, whose keys take seconds to make. See tests/unit/pki.c.
if [ $# -gt 1 ] && [ -z "${DEVTRUST_PKI:-}" ]; then
    pki=$(mktemp -d "${DEVTRUST_BUILD:-/tmp}/pki-XXXXXX")
    export DEVTRUST_PKI=$pki
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "${DEVTRUST_ROOT:-.}/tests/pki/pki.py" --out "$pki" \
        > /dev/null || exit
fi

# What is said of one program goes to a file of its own: lines of two must not mix.
one() {
    local name output status closing
    name=$(basename "$1")
    output=$(timeout "$limit" "$1" 2>&1)
    status=$?
    closing=$(printf '%s\n' "$output" | grep -E '^\[ +(PASSED|FAILED) +\]' | head -n 2 | tr '\n' ' ')
    if [ "$status" -ne 0 ]; then
        : > "$results/$name.failed"
        closing+="ended with status $status"
    fi
    {
        [ "$status" -eq 0 ] || printf '%s\n' "$output"
        printf '%-28s %s\n' "$name" "${closing:-ran no test}"
    } > "$results/$name.said"
}
export -f one

# shellcheck disable=SC2016 # the inner shell expands it
printf '%s\0' "$@" | xargs -0 -n 1 -P "${UNIT_JOBS:-4}" bash -c 'one "$1"' one
failed=()
for program in "$@"; do
    name=$(basename "$program")
    # A program that left nothing did not run, which is a failure as well.
    if ! cat "$results/$name.said"; then
        : > "$results/$name.failed"
        failed+=("$name")
    elif [ -e "$results/$name.failed" ]; then
        failed+=("$name")
    fi
done
if [ ${#failed[@]} -gt 0 ] && [ ${#failed[@]} -le "${AGAIN:-0}" ]; then
    still=()
    for program in "$@"; do
        name=$(basename "$program")
        [ -e "$results/$name.failed" ] || continue
        rm "$results/$name.failed"
        one "$program"
        cat "$results/$name.said"
        if [ -e "$results/$name.failed" ]; then
            still+=("$name")
        else
            printf 'UNSTABLE, failed beside others and passed alone: %s\n' "$name"
        fi
    done
    failed=(${still[@]+"${still[@]}"})
fi
printf 'unit tests: %d programs, %d failed%s\n' "$#" "${#failed[@]}" \
    "${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
