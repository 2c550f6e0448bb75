# SPDX-License-Identifier: GPL-2.0-or-later
# Makes tests/demo a package, so that its parts find each other.
