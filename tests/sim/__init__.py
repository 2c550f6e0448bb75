# SPDX-License-Identifier: GPL-2.0-or-later
# The simulated Okta org and Intune tenant that devtrust is tested and shown against.
