#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages of the named sections of packages.txt, without questions and without
# starting or enabling a service that was not running before. Does nothing, and needs no network,
# when all are there.
#
# usage: scripts/deps.sh [--check] SECTION...
#   --check   install nothing; fail with the names of what is missing
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
list=$root/packages.txt

check_only=no
if [ "${1:-}" = --check ]; then
    check_only=yes
    shift
fi
[ $# -gt 0 ] || {
    echo "usage: scripts/deps.sh [--check] SECTION..." >&2
    exit 2
}

packages_of() {
    awk -v section="[$1]" '
        /^\[/ { here = ($1 == section); found = found || here; next }
        here && NF && $1 !~ /^#/ { print $1 }
        END { exit !found }
    ' "$list" || {
        echo "deps.sh: packages.txt has no section [$1]" >&2
        return 1
    }
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

wanted=()
for section in "$@"; do
    names=$(packages_of "$section")
    mapfile -t -O "${#wanted[@]}" wanted <<<"$names"
done

missing=()
for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$check_only" = yes ]; then
    {
        echo "These Debian packages are missing: ${missing[*]}"
        echo "To install them, as root:  make deps"
    } >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    {
        echo "These Debian packages are missing: ${missing[*]}"
        echo "To install them, as root:  apt-get install --no-install-recommends ${missing[*]}"
    } >&2
    exit 1
fi
exit 1
