#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The layers, as the build enforces them. Says each transgression and ends non-zero at any:
# - the core archive uses only what scripts/core-symbols.txt lists;
# - an outside library is included only where scripts/outside-libraries.txt says;
# - the core includes nothing of the other layers, and no front door another's files;
# - a room of the core includes only rooms before it, no files include each other in a circle, and an
#   internal header is included by its own folder alone;
# - a header declares functions of the file of its own name, or of files that a reader finds: named in the
#   header, or by a word of the function's name;
# - each room has a main header, ROOM/ROOM.h, that introduces it and names its public headers;
# - pam_devtrust.so needs libpam and libc alone, and exports pam_sm_* alone;
# - rlm_devtrust.so exports rlm_devtrust alone, and is never unloaded.
#
# usage: BUILD=DIR [SAN=...] scripts/layers.sh
set -euo pipefail

: "${BUILD:?}"
cd "$(dirname "$0")/.."
shopt -s nullglob
bad=0

wrong() {
    echo "layers: $*" >&2
    bad=$((bad + 1))
}

# --- the core's symbols -------------------------------------------------------------------------
core_symbols() {
    local archive=$BUILD/libdt_core.a allowed
    allowed=$(sed '/^#/d; /^$/d' scripts/core-symbols.txt | paste -sd '|')
    [ -n "$(nm "$archive" 2>/dev/null)" ] || {
        wrong "$archive has no symbols"
        return
    }
    nm --defined-only --extern-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' |
        sort -u >"$BUILD/core-defined"
    # "member.o:" lines, then each undefined symbol: member and name.
    nm --undefined-only "$archive" 2>/dev/null |
        awk '/:$/ { member = substr($1, 1, length($1) - 1); next } NF { print $NF, member }' |
        sort -u | join -v 1 - "$BUILD/core-defined" >"$BUILD/core-undefined"
    while read -r symbol member; do
        [[ $symbol =~ ^($allowed)$ ]] && continue
        case $symbol in
        dt_*) wrong "the core uses $symbol (in $member), which it does not define" ;;
        *) wrong "the core may not use $symbol (in $member)" ;;
        esac
    done <"$BUILD/core-undefined"
}

# --- includes -----------------------------------------------------------------------------------
# Prints "file header" for each #include of the files given.
includes() {
    [ $# -gt 0 ] || return 0
    awk 'match($0, /^[ \t]*#[ \t]*include[ \t]*[<"][^>"]+/) {
             header = substr($0, RSTART, RLENGTH); sub(/.*[<"]/, "", header)
             print FILENAME, header
         }' "$@"
}

sources=(common/core/*/*.[ch] common/edge/*.[ch] common/driver/*.[ch] pam_devtrust/*/*.[ch]
    rlm_devtrust/*.[ch] devtrust_signals/*.[ch] devtrustctl/*.[ch] devtrustctl/*/*.[ch])

outside_libraries() {
    local file header prefix files pattern fits
    local -A used=()
    set -f # the patterns are for file names that were found, not for the shell
    while read -r file header; do
        while read -r prefix files; do
            case $prefix in '#'* | '') continue ;; esac
            [[ $header == "$prefix"* ]] || continue
            fits=no
            for pattern in $files; do
                # shellcheck disable=SC2053 # a pattern is meant
                [[ $file == $pattern ]] && fits=yes && used[$prefix $pattern]=yes
            done
            [ "$fits" = yes ] ||
                wrong "$file may not include <$header>: see scripts/outside-libraries.txt"
        done <scripts/outside-libraries.txt
    done < <(includes "${sources[@]}")
    while read -r prefix files; do
        case $prefix in '#'* | '') continue ;; esac
        for pattern in $files; do
            [ "${used[$prefix $pattern]:-no}" = yes ] ||
                wrong "scripts/outside-libraries.txt: no file that $pattern names includes <$prefix>"
        done
    done <scripts/outside-libraries.txt
    set +f
}

# A front door is what stands beside common/; the core and the edges know none of them.
own_includes() {
    local file header
    while read -r file header; do
        case $file:$header in
        common/core/*:edge/* | common/core/*:driver/* | common/core/*:../*)
            wrong "$file is core and includes \"$header\"" ;;
        common/edge/*:driver/*)
            wrong "$file is an edge and includes \"$header\"" ;;
        common/*:*pam_devtrust/* | common/*:*rlm_devtrust/* | common/*:*devtrustctl/* | \
            common/*:*devtrust_signals/*)
            wrong "$file is common and includes a front door's \"$header\"" ;;
        pam_devtrust/*:*rlm_devtrust/* | pam_devtrust/*:*devtrustctl/* | \
            rlm_devtrust/*:*pam_devtrust/* | rlm_devtrust/*:*devtrustctl/* | \
            devtrustctl/*:*pam_devtrust/* | devtrustctl/*:*rlm_devtrust/* | \
            devtrust_signals/*:*_devtrust/* | devtrust_signals/*:*devtrustctl/* | \
            *_devtrust/*:*devtrust_signals/* | devtrustctl/*:*devtrust_signals/*)
            wrong "$file includes another front door's \"$header\"" ;;
        pam_devtrust/module/*:edge/* | pam_devtrust/module/*:driver/*)
            wrong "$file is the thin module and includes \"$header\"" ;;
        esac
    done < <(includes "${sources[@]}")
}

# --- the rooms of the core ----------------------------------------------------------------------
# Each uses only those before it. Intune and Okta stand beside each other.
rooms=(base config device policy intune okta ruleset signon session dae signals seal metrics)

room_number() {
    local i
    for i in "${!rooms[@]}"; do
        [ "${rooms[$i]}" != "$1" ] || {
            echo "$i"
            return
        }
    done
    return 1
}

room_order() {
    local file header room other from to
    for file in common/core/*; do
        room_number "${file##*/}" >/dev/null ||
            wrong "$file is not a room of the core: add it to the rooms of scripts/layers.sh"
    done
    while read -r file header; do
        [[ $file == common/core/* && $header == core/* ]] || continue
        room=${file#common/core/} room=${room%%/*}
        other=${header#core/} other=${other%%/*}
        from=$(room_number "$room") || continue
        to=$(room_number "$other") || continue
        if [ "$to" -gt "$from" ] || [ "$room:$other" = okta:intune ]; then
            wrong "$file is of the room $room and includes \"$header\", which builds upon it"
        fi
    done < <(includes "${sources[@]}")
}

# The opening comment of ROOM/ROOM.h introduces the room: what it is for, and each header that others may
# include.
room_introductions() {
    local room main intro header
    for room in "${rooms[@]}"; do
        main=common/core/$room/$room.h
        [ -e "$main" ] || {
            wrong "$main is missing: its opening comment introduces the room $room"
            continue
        }
        intro=$(awk 'NR > 1 { print } NR > 1 && /\*\//{ exit }' "$main")
        [[ $intro == "/* The room $room: "* && $intro == *"Begin with "* ]] ||
            wrong "$main does not open with \"The room $room: \" and where to begin"
        for header in common/core/"$room"/*.h; do
            header=${header##*/}
            [[ $header == "$room.h" || $header == *_internal.h || $intro == *"$header"* ]] ||
                wrong "$main does not say in its opening comment what $header is for"
        done
    done
}

# tsort names the files of each circle.
include_circles() {
    local file header target line
    while read -r line; do
        [ -z "$line" ] || wrong "files include each other in a circle: $line"
    done < <(includes "${sources[@]}" | while read -r file header; do
        for target in "common/$header" "$header" "${file%/*}/$header"; do
            [ ! -e "$target" ] || [ "$target" = "$file" ] || {
                echo "$file $target"
                break
            }
        done
    done | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \([^:]*\/.*\)$/\1/p' | paste -sd ' ')
}

# What a file's folder keeps for itself.
internal_headers() {
    local file header
    while read -r file header; do
        [[ $header == */*_internal.h ]] || continue
        case ${file%/*} in
        "${header%/*}" | "common/${header%/*}") ;;
        *) wrong "$file includes \"$header\", which is for its own folder" ;;
        esac
    done < <(includes "${sources[@]}")
}

# --- where a function is defined ----------------------------------------------------------------
# dt_x_thing of x.h is in x.c, or in y_thing.c, or in a file that x.h names.
definitions() {
    local symbol header object source
    while read -r symbol header object; do
        source=${object%.o}
        [[ $source != $(basename "$header" .h) && ${symbol}_ != *_"${source##*_}"_* ]] || continue
        grep -q "\b$source\.c\b" "$header" ||
            wrong "$header declares $symbol and does not say that $source.c defines it"
    done < <(join \
        <(awk '/^(\/\*| \*|typedef|static|#)/ { next }
               { sub(/\/\*.*/, "") }
               match($0, /dt_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1), FILENAME }' \
            common/*/*.h common/core/*/*.h pam_devtrust/*/*.h rlm_devtrust/*.h devtrustctl/*.h \
            devtrustctl/*/*.h | grep -v '^dt_[a-z0-9_]* *\*' | sort -u) \
        <(nm -A --defined-only --extern-only "$BUILD"/libdt_*.a 2>/dev/null |
            awk -F '[: ]' 'NF > 2 && $(NF - 1) == "T" { print $NF, $2 }' | sort -u))
}

# --- the modules --------------------------------------------------------------------------------
exported() {
    nm -D --defined-only "$1" | awk '{ print $NF }' | sort
}

pam_module() {
    local so=$BUILD/pam_devtrust.so allowed='^(libpam\.so\.0|libc\.so\.6)$' name
    [ -e "$so" ] || return 0
    # UBSan's runtime, linked in statically, brings these.
    [ -z "${SAN:-}" ] || allowed='^(libpam\.so\.0|libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1)$'
    while read -r name; do
        [[ $name =~ $allowed ]] || wrong "pam_devtrust.so needs $name"
    done < <(readelf -d "$so" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
    while read -r name; do
        [[ $name == pam_sm_* ]] || wrong "pam_devtrust.so exports $name"
    done < <(exported "$so")
    for name in authenticate setcred acct_mgmt open_session close_session; do
        exported "$so" | grep -qx "pam_sm_$name" ||
            wrong "pam_devtrust.so does not export pam_sm_$name"
    done
}

rlm_module() {
    local so=$BUILD/rlm_devtrust.so name
    [ -e "$so" ] || return 0
    [ "$(exported "$so")" = rlm_devtrust ] ||
        wrong "rlm_devtrust.so exports: $(exported "$so" | tr '\n' ' ')"
    # The linker cannot tell: the server's own symbols are undefined as well.
    while read -r name; do
        wrong "rlm_devtrust.so leaves $name undefined"
    done < <(nm -D --undefined-only "$so" | awk '$NF ~ /^dt_/ { print $NF }')
    readelf -d "$so" | grep -q NODELETE || wrong "rlm_devtrust.so is not linked with -z nodelete"
}

core_symbols
outside_libraries
own_includes
room_order
room_introductions
include_circles
internal_headers
definitions
pam_module
rlm_module
[ "$bad" -eq 0 ] || {
    echo "layers: $bad wrong" >&2
    exit 1
}
echo "layers: $(wc -l <"$BUILD/core-undefined") outside uses by the core, all allowed;" \
    "${#sources[@]} files' includes in order"
echo "rooms of the core, each using only those before it: ${rooms[*]}"
