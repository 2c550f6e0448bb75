#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unpacks Debian packages, with those they depend on that are not installed, into a directory of their
# own, for tests that lay it over a private copy of the system. Nothing is installed and no maintainer
# script runs: those of name services and PAM modules change the host's own logins. apt checks the
# signatures. What is there already in the wanted versions is kept.
#
# usage: scripts/unpack-packages.sh DIR PACKAGE...
# makes: DIR/root, and DIR/versions with what it is made of
set -euo pipefail

dir=${1:?usage: scripts/unpack-packages.sh DIR PACKAGE...}
shift

# Name and version of each package that is missing.
wanted() {
    apt-get install -s -q --no-install-recommends "$@" 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/\1=\2/p' | sort
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
exec 9>"$dir/lock"
flock 9
list=$(wanted "$@")
if [ -f "$dir/versions" ] && [ "$list" = "$(cat "$dir/versions")" ]; then
    exit 0
fi
[ -n "$list" ] || {
    apt-get -q update >/dev/null
    list=$(wanted "$@")
}
[ -n "$list" ] || {
    echo "unpack-packages.sh: apt has none of these, or all are installed: $*" >&2
    exit 1
}

work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/debs" "$work/root"
mapfile -t packages <<<"$list"
download() {
    (cd "$work/debs" && apt-get download -q -o APT::Sandbox::User=root "${packages[@]}" >"$work/log" 2>&1)
}
download || { apt-get -q update >/dev/null && download; } || {
    cat "$work/log" >&2
    exit 1
}
for deb in "$work"/debs/*.deb; do
    dpkg-deb -x "$deb" "$work/root"
done
# As on a system whose /bin, /lib and /sbin are links.
for top in bin sbin lib lib64; do
    [ -d "$work/root/$top" ] || continue
    mkdir -p "$work/root/usr/$top"
    cp -a "$work/root/$top/." "$work/root/usr/$top/"
    rm -r "${work:?}/root/$top"
done
rm -rf "$dir/root"
mv "$work/root" "$dir/root"
printf '%s\n' "$list" >"$dir/versions"
