"""The owner's computer on the guests' network: a network namespace with one address, whose frames
go through the switch. Needs root.

Run as a program, this file is the cable: it copies frames between the namespace's interface `cable`
and the switch's socket, whose number is the argument.
"""

import array
import fcntl
import os
import selectors
import socket
import struct
import subprocess
import sys

ETH_P_ALL = 3
SIOCETHTOOL = 0x8946
# ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO of linux/ethtool.h: a virtual interface leaves sums and
# segments to hardware that is not there.
OFFLOADS = (0x17, 0x1F, 0x24)


class Owner:
    """The namespace. `run_in` is what a command has to start with."""

    def __init__(self, switch, address, prefix):
        self.name = f"nodecard-owner-{os.getpid()}"
        self.run_in = ["ip", "netns", "exec", self.name]
        self.cable = None
        self.ip("netns", "add", self.name)
        self.ip("-n", self.name, "link", "add", "eth0", "type", "veth", "peer", "name", "cable")
        for interface in ("lo", "eth0", "cable"):
            self.ip("-n", self.name, "link", "set", interface, "up")
        self.ip("-n", self.name, "addr", "add", f"{address}/{prefix}", "dev", "eth0")
        theirs = switch.plug_in()
        self.cable = subprocess.Popen(
            self.run_in + [sys.executable, os.path.realpath(__file__), str(theirs.fileno())],
            pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL)
        theirs.close()

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        if self.cable:
            self.cable.kill()
            self.cable.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def can_be_made():
    """Returns whether this user may make network namespaces."""
    done = subprocess.run(["unshare", "-n", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return os.geteuid() == 0 and done.returncode == 0


def copy_frames(switch):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind(("cable", ETH_P_ALL))
    for interface in (b"eth0", b"cable"):
        for offload in OFFLOADS:
            value = array.array("I", [offload, 0])
            fcntl.ioctl(wire, SIOCETHTOOL, struct.pack("16sP16x", interface, value.buffer_info()[0]))
    selector = selectors.DefaultSelector()
    for file in (wire, switch):
        selector.register(file, selectors.EVENT_READ)
    received = bytearray()
    while True:
        for key, _ in selector.select():
            if key.fileobj is wire:
                frame, address = wire.recvfrom(1 << 16)
                if address[2] != socket.PACKET_OUTGOING:
                    switch.sendall(struct.pack(">I", len(frame)) + frame)
                continue
            chunk = switch.recv(1 << 17)
            if not chunk:
                return
            received += chunk
            while len(received) >= 4:
                (length,) = struct.unpack_from(">I", received)
                if len(received) < 4 + length:
                    break
                wire.send(bytes(received[4:4 + length]))
                del received[:4 + length]


if __name__ == "__main__":
    copy_frames(socket.socket(fileno=int(sys.argv[1])))
