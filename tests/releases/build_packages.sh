#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run in a root of a release: builds the packages of the sources in SOURCE, in a folder of another name, in
# another time zone and language, with another umask than last time, as WAY says (1 or 2), into OUT.
#
# usage: build_packages.sh SOURCE WAY OUT
set -euo pipefail

source=$1 way=$2 out=$3
work=/var/tmp/devtrust-build-$way
options=parallel=2
case $way in
1)
    umask 022
    export TZ=UTC LC_ALL=C.UTF-8
    ;;
2)
    umask 077
    options+=' nocheck'
    work+=/of/another/depth
    export TZ=Pacific/Kiritimati LC_ALL=C HOME=/nonexistent USER=somebody
    ;;
*) exit 2 ;;
esac

rm -rf "/var/tmp/devtrust-build-$way"
mkdir -p "$(dirname "$work")" "$out"
cp -r "$source" "$work"
cd "$work"
DEB_BUILD_OPTIONS=$options dpkg-buildpackage -b -us -uc
mv ../*.deb ../*.changes ../*.buildinfo "$out/"
