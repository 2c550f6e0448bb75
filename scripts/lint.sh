#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every check that reads the sources without running them. All of them run; any finding fails.
#
# usage: BUILD=DIR LINT_CFLAGS=... RLM_CFLAGS=... scripts/lint.sh [CHECK...]
set -uo pipefail

: "${BUILD:?}" "${LINT_CFLAGS:?}" "${RLM_CFLAGS:?}"
cd "$(dirname "$0")/.." || exit 1
read -ra cflags <<<"$LINT_CFLAGS"
read -ra rlm_cflags <<<"$RLM_CFLAGS"
failed=()
mkdir -p "$BUILD/lint"

# Files of the work tree that are not ignored, so that a new one is seen before it is added; all
# files where the tree came without git.
list_files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . -name 'build*' -prune -o -name __pycache__ -prune -o -type f -print | sed 's,^\./,,'
    fi
}
mapfile -t files < <(list_files | while read -r file; do
    [ -f "$file" ] && echo "$file"
done | sort -u)
[ ${#files[@]} -gt 0 ] || {
    echo "lint: no files" >&2
    exit 1
}
pick() {
    printf '%s\n' "${files[@]}" | grep -E "$1" || true
}
mapfile -t c_files < <(pick '\.c$')
mapfile -t headers < <(pick '\.h$')
mapfile -t python_files < <(pick '\.py$')
mapfile -t shell_files < <(pick '\.sh$|^\.ci/run$')
mapfile -t man_pages < <(pick '^man/.*\.[1-9]$')
mapfile -t json_files < <(pick '\.json$')

# Flags for a file: those of rlm_devtrust need the server's headers.
flags_of() {
    case $1 in
    rlm_devtrust/*) printf '%s\n' -std=gnu99 "${cflags[@]}" "${rlm_cflags[@]}" ;;
    *) printf '%s\n' -std=c11 "${cflags[@]}" ;;
    esac
}

check_format() {
    [ $((${#c_files[@]} + ${#headers[@]})) -eq 0 ] ||
        clang-format --dry-run -Werror "${c_files[@]}" "${headers[@]}"
}

check_headers() {
    local header flags bad=0
    for header in "${headers[@]}"; do
        mapfile -t flags < <(flags_of "$header")
        printf '#include "%s"\n' "$header" |
            cc -fsyntax-only -Wall -Wextra -Werror "${flags[@]}" -x c - || bad=1
    done
    return $bad
}

# cppcheck knows no system headers; the list macros it must. Of uninitialised variables gcc is the
# better judge (do-while).
queue_h=$(find /usr/include -path '*/sys/queue.h' | head -n 1)

check_cppcheck() {
    [ ${#c_files[@]} -eq 0 ] || cppcheck -q -j 2 --std=c11 --library=posix --inline-suppr \
        --enable=warning,performance,portability --error-exitcode=1 --template=gcc \
        ${queue_h:+--include="$queue_h"} --suppress=missingIncludeSystem --suppress=varFuncNullUB --suppress=unknownMacro --suppress=uninitvar \
        --cppcheck-build-dir="$BUILD/lint" -Icommon -I. -D_GNU_SOURCE "${c_files[@]}"
}

# A file is looked at again once it, or any header, has changed.
tidy_one() {
    local file=$1 stamp=$BUILD/lint/$1.tidy flags newest
    newest=$(printf '%s\n' "$file" .clang-tidy scripts/lint.sh "${headers[@]}" | xargs -d '\n' ls -t |
        sed -n 1p)
    [ "$stamp" -nt "$newest" ] && return 0
    mkdir -p "$(dirname "$stamp")"
    mapfile -t flags < <(flags_of "$file")
    clang-tidy --quiet "$file" -- "${flags[@]}" -Wno-unknown-warning-option >"$stamp.log" 2>&1 &&
        touch "$stamp" && return 0
    cat "$stamp.log"
    return 1
}

check_tidy() {
    local file status=0 running=0
    for file in "${c_files[@]}"; do
        tidy_one "$file" &
        running=$((running + 1))
        if [ "$running" -ge 2 ]; then
            wait -n || status=1
            running=$((running - 1))
        fi
    done
    while [ "$running" -gt 0 ]; do
        wait -n || status=1
        running=$((running - 1))
    done
    return $status
}

# Not among the default checks: its findings want judging. See .clang-tidy.
check_deep() {
    local file flags bad=0
    for file in "${c_files[@]}"; do
        mapfile -t flags < <(flags_of "$file")
        clang-tidy --quiet --checks='-*,clang-analyzer-*,-*DeprecatedOrUnsafeBufferHandling' \
            "$file" -- "${flags[@]}" 2>/dev/null || bad=1
    done
    return $bad
}

check_shell() {
    [ ${#shell_files[@]} -eq 0 ] || shellcheck "${shell_files[@]}"
}

check_python() {
    [ ${#python_files[@]} -eq 0 ] || /usr/bin/python3 -m flake8 "${python_files[@]}"
}

check_man() {
    [ ${#man_pages[@]} -eq 0 ] || mandoc -T lint -W warning "${man_pages[@]}"
}

# Whether each check that `make mutants` removes is still where its list says.
check_mutants() {
    /usr/bin/python3 tests/mutants/run.py --list >/dev/null
}

check_json() {
    local file bad=0
    for file in "${json_files[@]}"; do
        /usr/bin/python3 -m json.tool "$file" >/dev/null || {
            echo "$file: not JSON"
            bad=1
        }
    done
    return $bad
}

# Trailing white space, tabs in C, notes to self, files without a licence line.
check_text() {
    local bad=0 file texts ours
    mapfile -t texts < <(pick '.' | grep -vE '^LICENSE$')
    # Seeds of fuzzers are as foreign bytes come.
    mapfile -t ours < <(printf '%s\n' "${texts[@]}" | grep -v '^tests/fuzz/corpus/')
    grep -nIE '[[:blank:]]+$' "${ours[@]}" && bad=1
    [ ${#c_files[@]} -eq 0 ] || { grep -nP '\t' "${c_files[@]}" "${headers[@]}" && bad=1; }
    grep -nIE '\b(TO''DO|FIX''ME|XX''X)\b' "${texts[@]}" && bad=1
    for file in "${c_files[@]}" "${headers[@]}" "${python_files[@]}" "${shell_files[@]}"; do
        [ ! -s "$file" ] || head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || {
            echo "$file: no licence line"
            bad=1
        }
    done
    return $bad
}

# Words that return: scripts/words.txt has each with the better one.
check_words() {
    local bad=0 pattern better found readable
    mapfile -t readable < <(pick '^(common|devtrustctl|pam_devtrust|rlm_devtrust|man|conf)/|^[A-Z]+\.md$')
    while IFS=$'\t' read -r pattern better; do
        [[ $pattern != '#'* ]] || continue
        found=$(grep -nIHP -- "$pattern" "${readable[@]}") || continue
        echo "$found"
        echo "lint: write instead: $better"
        bad=1
    done <scripts/words.txt
    return $bad
}

checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(format text words headers shell python man json mutants cppcheck tidy)
for check in "${checks[@]}"; do
    begin=$SECONDS
    if "check_$check"; then
        echo "lint: $check clean ($((SECONDS - begin)) s)"
    else
        echo "lint: $check FAILED" >&2
        failed+=("$check")
    fi
done
[ ${#failed[@]} -eq 0 ] || {
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
}
echo "lint: ${#c_files[@]} C files, ${#headers[@]} headers, ${#python_files[@]} Python files," \
    "${#shell_files[@]} shell scripts: clean"
