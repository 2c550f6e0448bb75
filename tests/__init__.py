# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the tests one package, so that every test finds tests.sim and tests.pki by one name.
