"""Guests in QEMU, for boot-node and boot-cluster. Uses only Python's standard library."""
