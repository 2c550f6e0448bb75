# SPDX-License-Identifier: GPL-2.0-or-later
# What tests share: sites, servers, clients.
