"""Guests in QEMU, for boot-node and boot-cluster: Python's standard library only."""
