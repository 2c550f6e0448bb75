#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs libFuzzer programs, each for FUZZ_SECONDS, from the seeds in tests/fuzz/corpus/NAME. Ends
# non-zero when one finds something; its input is kept in $BUILD/fuzz-found/.
#
# usage: BUILD=DIR FUZZ_SECONDS=N scripts/fuzz.sh PROGRAM...
set -uo pipefail

: "${BUILD:?}" "${FUZZ_SECONDS:?}"
[ $# -gt 0 ] || {
    echo "fuzz.sh: there are no fuzzers" >&2
    exit 1
}

failed=0
for program in "$@"; do
    name=$(basename "$program")
    corpus=$BUILD/fuzz-corpus/$name
    found=$BUILD/fuzz-found/$name
    seeds=tests/fuzz/corpus/${name#fuzz_}
    mkdir -p "$corpus" "$found"
    dirs=("$corpus")
    [ -d "$seeds" ] && dirs+=("$seeds")
    log=$BUILD/fuzz-found/$name.log
    if "$program" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$found/" -print_final_stats=1 "${dirs[@]}" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        printf '%-28s clean, %s runs\n' "$name" "$runs"
    else
        failed=$((failed + 1))
        tail -n 40 "$log"
        printf '%-28s FOUND SOMETHING: see %s\n' "$name" "$log"
    fi
done
printf 'fuzz: %d programs, %d found something\n' "$#" "$failed"
[ "$failed" -eq 0 ]
