#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's libfreeradius-dev leaves out headers that <freeradius/radiusd.h> includes. This takes them
# from Debian's source package of exactly the installed server version, by apt with its signature
# checks, without touching the machine's own sources lists, and puts them into DIR/freeradius/.
# DIR/stamp says of which version; nothing is fetched again while that is the installed one.
#
# With --tree DIR gets the unpacked source package instead, and must not be there yet: for tests.
#
# usage: scripts/freeradius-headers.sh [--tree] DIR
# env:   CC, FREERADIUS_SYSTEM_INC (default /usr/include)
set -euo pipefail

tree=no
if [ "${1:-}" = --tree ]; then
    tree=yes
    shift
fi
dir=${1:?usage: scripts/freeradius-headers.sh [--tree] DIR}
read -ra cc <<< "${CC:-cc}" # may be several words, as "ccache gcc"
system_inc=${FREERADIUS_SYSTEM_INC:-/usr/include}
left_out=(automask.h clients.h connection.h listen.h log.h process.h tmpl.h xlat.h)

fail() {
    echo "freeradius-headers.sh: $1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

version_of() {
    dpkg-query -W -f "\${db:Status-Status} \${$2}" "$1" 2>/dev/null | sed -n 's/^installed //p'
}

server=$(version_of freeradius Version)
[ -n "$server" ] || fail "freeradius is not installed" "To install what the build needs: scripts/deps.sh build"
headers=$(version_of libfreeradius-dev Version)
[ -n "$headers" ] || fail "libfreeradius-dev is not installed" \
    "To install what the build needs: scripts/deps.sh build"
[ "$server" = "$headers" ] || fail \
    "freeradius is version $server, libfreeradius-dev is version $headers" \
    "The module must be compiled with the headers of the very server that loads it." \
    "To mend it: apt-get update && apt-get install freeradius libfreeradius-dev"
source_version=$(version_of freeradius source:Version)

# Do radiusd.h and modules.h compile with what is there?
headers_suffice() {
    printf '#include <freeradius/radiusd.h>\n#include <freeradius/modules.h>\n' |
        "${cc[@]}" -fsyntax-only -x c -std=gnu99 -D_GNU_SOURCE -DNDEBUG -I"$1" \
            -include freeradius/autoconf.h -include freeradius/build.h \
            -include freeradius/features.h -include freeradius/radpaths.h - 2>"$1/compile.log"
}

# Another build tree beside this one may have them already.
use_what_is_there() {
    local other
    if [ "$(cat "$dir/stamp" 2>/dev/null)" = "$source_version" ] && headers_suffice "$dir"; then
        touch "$dir/stamp"
        exit 0
    fi
    mkdir -p "$dir/freeradius"
    for other in "$(dirname "$0")"/../build*/freeradius-include; do
        [ "$other" -ef "$dir" ] && continue
        [ "$(cat "$other/stamp" 2>/dev/null)" = "$source_version" ] || continue
        cp "$other"/freeradius/*.h "$dir/freeradius/"
        if headers_suffice "$dir"; then
            echo "$source_version" >"$dir/stamp"
            exit 0
        fi
    done
}

[ "$tree" = yes ] || use_what_is_there

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/sources" "$work/lists" "$work/cache" "$work/download"
if [ "$(id -u)" -eq 0 ] && id _apt >/dev/null 2>&1; then
    chown _apt "$work/download" # apt fetches as this user
fi

# The archive that the installed server came from, so that no other is asked.
origin=$(apt-cache policy freeradius |
    awk '/^ \*\*\* / { here = 1; next } here && $2 ~ /:/ { print $2; exit } /^     [^ ]/ { here = 0 }')

# The machine's own sources lists (with their Signed-By), binary packages turned into sources.
copy_sources() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -f "$file" ] || continue
        [ -z "$origin" ] || grep -qF -- "${origin%/}" "$file" || continue
        case $file in
        *.sources) sed -E 's/^Types:.*/Types: deb-src/' "$file" ;;
        *.list) sed -nE 's/^deb([[:space:]])/deb-src\1/p' "$file" ;;
        *) continue ;;
        esac >"$work/sources/$(basename "$file")"
    done
}

private_apt() {
    (cd "$work/download" &&
        apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
            -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" \
            -o Acquire::Languages=none -o Acquire::Retries=3 "$@")
}

echo "  FETCH    source of freeradius $source_version"
copy_sources
# Without a network apt ends with success, and no list.
if ! private_apt update >"$work/log" 2>&1 || ! compgen -G "$work/lists/*Sources*" >/dev/null; then
    cat "$work/log" >&2
    fail "the package lists could not be fetched" \
        "Is the network there? FREERADIUS_INC=DIR uses DIR/freeradius/*.h of the same version instead."
fi
private_apt source --download-only "freeradius=$source_version" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "Debian's archive has no source of freeradius $source_version, which is installed" \
        "Most often a newer version took its place. To mend it:" \
        "  apt-get update && apt-get install freeradius libfreeradius-dev, then make again;" \
        "or make FREERADIUS_INC=DIR, with the missing headers of $source_version in DIR/freeradius."
}

dsc=$(find "$work/download" -name 'freeradius_*.dsc')
[ -n "$dsc" ] || fail "apt fetched no .dsc file"
fetched=$(sed -n 's/^Version: //p' "$dsc" | head -n 1)
[ "$fetched" = "$source_version" ] || fail "asked for source $source_version, got $fetched"
# Checks the files against the .dsc, unpacks, applies Debian's patches.
dpkg-source --no-copy -x "$dsc" "$work/tree" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "the source package could not be unpacked"
}

if [ "$tree" = yes ]; then
    mv "$work/tree" "$dir"
    exit 0
fi

for header in "${left_out[@]}"; do
    rm -f "$dir/freeradius/$header"
    [ -e "$system_inc/freeradius/$header" ] && continue
    [ -f "$work/tree/src/include/$header" ] || fail "the source package has no $header"
    sed -E 's,^#([[:blank:]]*)include <freeradius-devel/([^>]*)>,#\1include <freeradius/\2>,' \
        "$work/tree/src/include/$header" >"$dir/freeradius/$header"
done

headers_suffice "$dir" || {
    cat "$dir/compile.log" >&2
    fail "the headers of freeradius $source_version do not compile" \
        "FREERADIUS_INC=DIR uses DIR/freeradius/*.h instead."
}
echo "$source_version" >"$dir/stamp"
