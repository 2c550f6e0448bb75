# SPDX-License-Identifier: GPL-2.0-or-later
# The test PKI: made anew for every run, nothing secret is ever committed.
