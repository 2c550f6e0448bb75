#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages of the named sections of packages.txt, without questions and without
# starting or enabling a service that was not running before. Does nothing, and needs no network,
# when all are there.
#
# usage: scripts/deps.sh [--check] SECTION...
#   --check   install nothing; fail with the names of what is missing
# env: DEVTRUST_PACKAGES (default: packages.txt of this tree)
#      DEVTRUST_WITHOUT   packages to do without, with blanks between
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
list=${DEVTRUST_PACKAGES:-$root/packages.txt}
policy=/usr/sbin/policy-rc.d

check_only=no
if [ "${1:-}" = --check ]; then
    check_only=yes
    shift
fi
[ $# -gt 0 ] || {
    echo "usage: scripts/deps.sh [--check] SECTION..." >&2
    exit 2
}

# --- what is missing ---------------------------------------------------------------------------
packages_of() {
    awk -v section="$1" '
        /^\[/ {
            here = index(" " substr($0, 2, index($0, "]") - 2) " ", " " section " ")
            found += here
            next
        }
        here && NF && $1 !~ /^#/ { print $1 }
        END { exit !found }
    ' "$list" || {
        echo "deps.sh: $list has no section [$1]" >&2
        return 1
    }
}

# Of a package that is called differently in different releases, one will do.
is_installed() {
    local name
    for name in ${1//|/ }; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] && return 0
    done
    return 1
}

# The name that this release has; apt says so itself when it has none of them.
name_here() {
    local name
    for name in ${1//|/ }; do
        [[ $(LC_ALL=C apt-cache policy "$name") == *'Candidate: '[!\(]* ]] && break
    done
    echo "$name"
}

names_here() {
    local package
    for package in "${missing[@]}"; do
        name_here "$package"
    done
}

wanted=
for section in "$@"; do
    names=$(packages_of "$section")
    wanted+="$names"$'\n'
done

missing=()
while read -r package; do
    [[ " ${DEVTRUST_WITHOUT:-} " == *" $package "* ]] && continue
    [ -z "$package" ] || is_installed "$package" || missing+=("$package")
done < <(sort -u <<<"$wanted")
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$check_only" = yes ]; then
    {
        echo "These Debian packages are missing: ${missing[*]}"
        echo "To install them, as root:  scripts/deps.sh $*"
    } >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    {
        mapfile -t missing < <(names_here)
        echo "These Debian packages are missing: ${missing[*]}"
        echo "To install them, as root:  apt-get install --no-install-recommends ${missing[*]}"
    } >&2
    exit 1
fi

# --- no service starts or is enabled by it -----------------------------------------------------
# policy-rc.d keeps maintainer scripts from starting anything. What they enable for the next boot is
# disabled again, unless it was enabled before. On a machine without systemd's unit files that part
# finds nothing to do.
work=$(mktemp -d)
policy_is_ours=no
policy_was_there=no

enabled_units() {
    command -v systemctl >/dev/null || return 0
    # Reads the links under /etc/systemd: works without a running systemd, too.
    systemctl --root=/ list-unit-files --no-legend --no-pager --state=enabled 2>/dev/null |
        awk '{ print $1 }' | sort
}

# SysV start links, which Debian makes beside the units.
enabled_scripts() {
    find /etc/rc[2-5].d -name 'S*' -printf '%f\n' 2>/dev/null | sed 's/^S[0-9]*//' | sort -u
}

restore() {
    local status=$?
    trap - EXIT INT TERM HUP
    if [ "$policy_is_ours" = yes ]; then
        rm -f "$policy"
        [ "$policy_was_there" = no ] || mv -f "$work/policy-rc.d" "$policy"
    fi
    if [ -f "$work/units" ]; then
        enabled_units | comm -13 "$work/units" - >"$work/new-units" || true
        while read -r unit; do
            systemctl --root=/ disable "$unit" >/dev/null 2>&1 ||
                echo "deps.sh: could not disable $unit" >&2
        done <"$work/new-units"
    fi
    if [ -f "$work/scripts" ]; then
        enabled_scripts | comm -13 "$work/scripts" - >"$work/new-scripts" || true
        while read -r script; do
            update-rc.d "$script" disable >/dev/null 2>&1 ||
                echo "deps.sh: could not disable the init script $script" >&2
        done <"$work/new-scripts"
    fi
    rm -rf "$work"
    exit "$status"
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Two at once would take each other's policy-rc.d for the machine's own.
exec 9>/run/lock/devtrust-deps
flock 9

enabled_units >"$work/units"
enabled_scripts >"$work/scripts"
if [ -e "$policy" ] || [ -L "$policy" ]; then
    cp -a "$policy" "$work/policy-rc.d"
    policy_was_there=yes
fi
policy_is_ours=yes
rm -f "$policy"
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

# --- install -----------------------------------------------------------------------------------
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
apt=(apt-get -y -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)

echo "Installing Debian packages: ${missing[*]}"
run_apt() {
    "${apt[@]}" "$@" </dev/null >"$work/log" 2>&1 || {
        tail -n 40 "$work/log" >&2
        echo "deps.sh: apt-get $1 failed; missing still: ${missing[*]}" >&2
        return 1
    }
}
run_apt update
mapfile -t missing < <(names_here)
run_apt install --no-install-recommends "${missing[@]}"
