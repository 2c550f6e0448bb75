# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the integration tests importable from the root of the tree, whatever starts them.
