# SPDX-License-Identifier: GPL-2.0-or-later
# The model of the MFA conversation, and what compares it with the code.
"""The model."""
