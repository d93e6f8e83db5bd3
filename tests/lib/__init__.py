# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lib - what the system tests and the demo share: daemon, guests, link client, TAP
