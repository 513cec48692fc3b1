"""A guest with four USB card readers and an SD slot, whose cards are files of the host. QMP, QEMU's
control protocol, pulls readers and swaps cards. In the guest, nodecard runs from an initramfs."""

import json
import os
import shutil
import socket
import subprocess
import time

from . import machine
from .console import Console
from .initramfs import Initramfs, Modules

READERS = 4
MODULES = ["crc32c_generic", "ext4", "vfat", "nls_cp437", "nls_ascii", "virtio_pci", "virtio_blk", "xhci_pci",
           "usb_storage", "uas", "sd_mod", "sdhci_pci", "mmc_block"]
PROGRAMS = ["dmsetup", "e2fsck", "blockdev", "setpriv"]
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /root /run /mnt /boot
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
mount -t tmpfs tmp /tmp
export PATH=/bin HOME=/root TERM=dumb
echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
echo 'maker:x:1000:1000::/tmp:/bin/sh' >> /etc/passwd
printf 'root:x:0:\\ndisk:x:6:maker\\nmaker:x:1000:\\n' > /etc/group
while read -r module; do insmod "$module" || echo "cannot load $module"; done < /modules/order
dmesg -n 1
cd /cluster
exec setsid sh -c 'exec sh < /dev/ttyS0 > /dev/ttyS0 2>&1'
"""


def kernel(cache):
    """Returns (kernel, its modules): Debian's linux-image-amd64, unpacked once into `cache`. Its
    little sister for clouds has no USB."""
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True).stdout
    names = [line.split()[1] for line in depends.splitlines() if line.split()[:1] == ["Depends:"]]
    if not names:
        raise machine.Unusable("apt knows no package linux-image-amd64; run apt-get update on a Debian")
    package = names[0]
    place = os.path.join(cache, package)
    if not os.path.exists(os.path.join(place, "vmlinuz")):
        shutil.rmtree(place + ".new", ignore_errors=True)
        os.makedirs(place + ".new")
        if subprocess.run(["apt-get", "download", "-qq", package], cwd=place + ".new").returncode:
            raise machine.Unusable(f"apt-get cannot download {package}")
        archive = next(name for name in os.listdir(place + ".new") if name.endswith(".deb"))
        subprocess.run(["dpkg", "-x", archive, "unpacked"], cwd=place + ".new", check=True)
        os.remove(os.path.join(place + ".new", archive))
        keep_kernel(place + ".new")
        shutil.rmtree(place, ignore_errors=True)
        os.rename(place + ".new", place)
    return os.path.join(place, "vmlinuz"), Modules(os.path.join(place, "modules"))


def keep_kernel(place):
    """Keeps the kernel and the modules of an unpacked package, without the 300 MB of the rest."""
    unpacked = os.path.join(place, "unpacked")
    boot = os.path.join(unpacked, "boot")
    image = next(name for name in os.listdir(boot) if name.startswith("vmlinuz"))
    shutil.move(os.path.join(boot, image), os.path.join(place, "vmlinuz"))
    modules = Modules(os.path.join(unpacked, "lib", "modules"))
    os.makedirs(os.path.join(place, "modules"))
    for name in modules.ordered(MODULES):
        shutil.copy(modules.paths[name], os.path.join(place, "modules"))
    shutil.rmtree(unpacked)


def make_initramfs(out, nodecard, modules, cluster):
    """Writes the guest's root: busybox, nodecard and the directory `cluster` at /cluster."""
    archive = Initramfs()
    archive.add_bytes("init", INIT.encode(), 0o755)
    for path in ("etc", "dev", "proc", "sys", "tmp"):
        archive.add_dir(path)
    archive.add_program("busybox")
    archive.add_program("nodecard", nodecard)
    for name in PROGRAMS:
        archive.add_program(name)
    order = modules.ordered(MODULES)
    for name in order:
        archive.add_file(f"modules/{name}.ko", modules.paths[name])
    archive.add_bytes("modules/order", "".join(f"/modules/{name}.ko\n" for name in order).encode())
    for directory, _, names in os.walk(cluster):
        for name in names:
            path = os.path.join(directory, name)
            mode = os.stat(path).st_mode & 0o777
            archive.add_file(os.path.join("cluster", os.path.relpath(path, cluster)), path, mode)
    # The keys' directory is private.
    for path, (mode, contents) in archive.entries.items():
        if path.startswith("cluster/") and path.endswith(".keys"):
            archive.entries[path] = (mode & ~0o077, contents)
    archive.write(out)


class Qmp:
    """QEMU's control protocol on a socket: one command, one answer. Events are dropped."""

    def __init__(self, path, process):
        self.socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + 30
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    said = process.stdout.read().decode(errors="replace") if process.poll() is not None else ""
                    raise machine.Unusable(f"QEMU does not start: {said.strip()}") from None
                time.sleep(0.05)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline() or '{"error": {"desc": "QEMU ended"}}')
            if "error" in answer:
                raise machine.Unusable(f"QMP {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


class Card:
    """A card in a reader or in the SD slot, and what QEMU puts between it and its file."""

    def __init__(self, path, *, write_mbps=None, read_mbps=None, read_only=False, fault=None, log=None):
        self.path, self.write_mbps, self.read_mbps, self.read_only = path, write_mbps, read_mbps, read_only
        self.fault, self.log = fault, log

    def nodes(self, name):
        """Returns the objects and block nodes, bottom first; the last one's name is `name`."""
        objects, nodes = [], []

        def add(node):
            if nodes:
                node.setdefault("file", nodes[-1]["node-name"])
            node["node-name"] = f"{name}-{len(nodes)}"
            nodes.append(node)

        # A card that was taken out stays open, and may be put in again.
        add({"driver": "file", "filename": self.path, "read-only": self.read_only, "locking": "off",
             "cache": {"direct": False, "no-flush": True}})
        if self.fault:
            nodes[-1]["node-name"] = f"{name}-0"
            add({"driver": "blkdebug", "image": nodes[-1]["node-name"], "inject-error": [self.fault]})
            del nodes[-1]["file"]
        limits = {"bps-write": self.write_mbps, "bps-read": self.read_mbps}
        limits = {name: mbps * 1000000 for name, mbps in limits.items() if mbps}
        if limits:
            objects.append({"qom-type": "throttle-group", "id": f"{name}-limit", "limits": limits})
            add({"driver": "throttle", "throttle-group": f"{name}-limit"})
        if self.log:
            nodes.append({"driver": "file", "filename": self.log, "node-name": f"{name}-log"})
            below = nodes[-2]["node-name"]
            nodes.append({"driver": "blklogwrites", "file": below, "log": f"{name}-log",
                          "node-name": f"{name}-{len(nodes)}"})
        top = {"driver": "raw", "file": nodes[-1]["node-name"], "node-name": name, "read-only": self.read_only}
        return objects, nodes + [top]


class ReadersGuest:
    """A running guest. `cards` maps reader1 to reader4 and slot to their cards, if they have one."""

    def __init__(self, work, kernel, initramfs, accel, cards, *, deadline, disk=None, state=None, memory=512):
        self.work, self.places = work, list(cards)
        self.devices = {}
        self.socket = os.path.join(work, "qmp")
        if os.path.exists(self.socket):
            os.remove(self.socket)
        command = machine.base_command("amd64", accel, kernel, initramfs, "panic=-1 quiet", memory, 2)
        command += ["-nodefaults", "-qmp", f"unix:{self.socket},server=on,wait=off",
                    "-device", "qemu-xhci,id=xhci,p2=8,p3=8"]
        if disk:
            command += ["-drive", f"file={disk},format=raw,if=none,id=system,cache=unsafe",
                        "-device", "virtio-blk-pci,drive=system"]
        for name, card in cards.items():
            command += self.arguments(name, card)
        if state:
            command += ["-incoming", f"exec:cat '{state}'"]
        self.log = open(os.path.join(work, "console.log"), "ab")
        self.process = machine.start(command)
        self.console = Console(self.process, deadline, self.log)
        self.qmp = Qmp(self.socket, self.process)
        if state:
            while self.qmp("query-status")["status"] == "inmigrate":
                time.sleep(0.02)
            self.qmp("cont")

    @staticmethod
    def device(name):
        if name == "slot":
            return [{"driver": "sdhci-pci", "id": "sdhci"}, {"driver": "sd-card", "drive": "slot", "id": "slot-card"}]
        return [{"driver": "usb-storage", "drive": name, "id": f"{name}-device", "bus": "xhci.0",
                 "port": name[-1], "removable": True, "serial": name.upper()}]

    def arguments(self, name, card):
        objects, nodes = card.nodes(name)
        found = []
        for thing in objects:
            found += ["-object", json.dumps(thing)]
        for node in nodes:
            found += ["-blockdev", json.dumps(node)]
        for device in self.device(name):
            found += ["-device", json.dumps(device)]
        return found

    def boot(self):
        self.console.wait_for(r"# ", "the guest's shell")
        self.console.send("stty -echo; PS1=")
        self.console.run("true")
        self.find_devices()

    def find_devices(self, seconds=120):
        """Waits until the kernel has all readers, which it finds in any order, and notes their names."""
        serials = ("for disk in /sys/block/sd?; do [ -e $disk ] && echo ${disk##*/} "
                   "$(cat $(readlink -f $disk/device)/../../../../serial); done; ls /dev/mmcblk0 2>/dev/null")
        until = time.time() + seconds
        while True:
            said, _ = self.run(serials)
            found = {words[1].lower(): f"/dev/{words[0]}" for words in map(str.split, said.splitlines())
                     if len(words) == 2}
            if "/dev/mmcblk0" in said:
                found["slot"] = "/dev/mmcblk0"
            if all(place in found for place in self.places):
                self.devices = found
                return
            if time.time() > until:
                raise machine.Unusable(f"the guest finds only these readers: {found}")
            time.sleep(0.5)

    def run(self, command, seconds=120):
        return self.console.run(command, seconds)

    def unplug(self, name):
        self.qmp("device_del", id=f"{name}-device")

    def plug(self, name, card, nodes_as=None):
        """Puts a reader with a card back."""
        block = nodes_as or name
        objects, nodes = card.nodes(block)
        for thing in objects:
            self.qmp("object-add", **thing)
        for node in nodes:
            self.qmp("blockdev-add", **node)
        for device in self.device(name):
            self.qmp("device_add", **(device | {"drive": block}))

    def save(self, path):
        """Writes the whole state of the guest, to go on from there again and again."""
        self.qmp("stop")
        self.qmp("migrate", uri=f"exec:cat > '{path}'")
        while (status := self.qmp("query-migrate")["status"]) != "completed":
            if status == "failed":
                raise machine.Unusable("QEMU cannot save the guest's state")
            time.sleep(0.1)

    def kill(self):
        self.console.kill()
        self.log.close()
