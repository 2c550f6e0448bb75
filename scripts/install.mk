# SPDX-License-Identifier: GPL-2.0-or-later
# install and uninstall.
