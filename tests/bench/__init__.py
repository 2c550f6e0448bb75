# SPDX-License-Identifier: GPL-2.0-or-later
# Makes tests/bench a package.
