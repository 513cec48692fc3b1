"""Base images that behave like those of board families (scripts/make-base --like): their logins,
their kernel arguments, and guests that are booted as a board's firmware boots a card.

QEMU has no board's firmware. So the kernel and initrd are given to QEMU, but the kernel's arguments
are read from the card before each boot: what a first-boot program puts there, such as `init=` or
`resize`, acts as on a board. A guest that reboots is started again with the arguments that the card
has then.
"""

import os
import queue
import re
import socket
import subprocess
import threading
import time
import types

from . import machine
from .cards import partition
from .cluster import Guest
from .console import Console, NoAnswer

# For each family: the users whom the profile lists, root first, and the logins that the image's
# documentation gives (tried on the console; nobody may get in with them on a finished card).
FAMILIES = {
    "rpi-os-trixie": {"users": ["root", "pi"], "logins": [("pi", "raspberry"), ("root", "root")]},
    "rpi-os-bookworm": {"users": ["root", "pi"], "logins": [("pi", "raspberry"), ("root", "root")]},
    "ubuntu": {"users": ["root", "ubuntu"], "created": ["ubuntu"], "logins": [("ubuntu", "ubuntu")]},
    "dietpi": {"users": ["root", "dietpi"], "logins": [("root", "dietpi"), ("dietpi", "dietpi")]},
    "armbian": {"users": ["root"], "logins": [("root", "1234")]},
}
# QEMU's own: the serial console, and the name of the network interface. On the boards it is eth0
# because nothing gives the kernel the slot of the interface.
# Drivers that no card needs, and which take an emulated machine minutes to load, are left out.
QEMU_ARGUMENTS = ("net.ifnames=0 console=ttyS0 systemd.debug_shell=ttyS1 modprobe.blacklist=ahci,sr_mod,"
                  "kvm_amd,kvm_intel,powernow_k8,aesni_intel,ghash_clmulni_intel,sha1_ssse3,sha256_ssse3,"
                  "sha512_ssse3,lpc_ich,i2c_i801 systemd.default_device_timeout_sec=900")
# A job that waits for a person never ends.
ENDLESS = ("userconfig.service",)
# Reboots that a first-boot program may make before this counts as a loop.
REBOOTS = 4


def make_base(scripts, family):
    """Returns the directory of the family's base image."""
    done = subprocess.run([os.path.join(scripts, "make-base"), "--where", "--like", family],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise machine.Unusable(f"scripts/make-base --like {family} failed; see above")
    return done.stdout.strip().splitlines()[-1]


def root_number(image):
    """Returns the number of the root partition, which is the last one of the MBR."""
    return max(number for number in range(1, 5) if partition(image, number)[1])


def read_boot_file(image, *paths):
    """Returns the first of the files that the FAT partition (number 1) has, or None."""
    start, _ = partition(image, 1)
    for path in paths:
        done = subprocess.run(["mcopy", "-n", "-i", f"{image}@@{start}", f"::{path}", "-"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return done.stdout.decode(errors="replace")
    return None


def read_root_bytes(image, path):
    """Returns the content of a file of the root filesystem, or None."""
    start, _ = partition(image, root_number(image))
    done = subprocess.run(["debugfs", "-R", f"cat {path}", f"{image}?offset={start}"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return None if b"not found" in done.stderr else done.stdout


def read_root_file(image, path):
    data = read_root_bytes(image, path)
    return None if data is None else data.decode(errors="replace")


def list_root(image, directory):
    start, _ = partition(image, root_number(image))
    done = subprocess.run(["debugfs", "-R", f"ls -p {directory}", f"{image}?offset={start}"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    names = [line.split("/")[5] for line in done.stdout.splitlines() if line.count("/") >= 6]
    return sorted(name for name in names if name not in (".", ".."))


def kernel_arguments(image):
    """Returns the kernel arguments that the card's own file gives, as its boot loader would."""
    if root_number(image) > 1:
        text = read_boot_file(image, "current/cmdline.txt", "cmdline.txt")
        if text is None:
            raise machine.Unusable(f"{image}: the boot partition has no cmdline.txt")
        return " ".join(text.split("\n")[0].split())
    text = read_root_file(image, "/boot/armbianEnv.txt")
    if text is None:
        raise machine.Unusable(f"{image}: there is neither a boot partition nor /boot/armbianEnv.txt")
    env = dict(re.findall(r"^(\w+)=(.*?)\s*$", text, re.M))
    return " ".join((f"root={env.get('rootdev', '/dev/mmcblk0p1')} rootwait rootfstype={env.get('rootfstype', 'ext4')} "
                     f"console=tty1 {env.get('extraargs', '')}").split())


class PumpedConsole(Console):
    """A console that is read all the time, by a thread: a full pipe would stop the guest."""

    def __init__(self, process, deadline, log):
        super().__init__(process, deadline, log)
        self.chunks = queue.SimpleQueue()
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        while True:
            try:
                chunk = os.read(self.process.stdout.fileno(), 65536)
            except (OSError, ValueError):
                chunk = b""
            if chunk and self.log:
                self.log.write(chunk)
                self.log.flush()
            self.chunks.put(chunk)
            if not chunk:
                return

    def read_some(self, seconds):
        """Takes everything that has come. A boot's output comes in thousands of small pieces, and the
        caller searches all the text after each call."""
        chunks = []
        try:
            chunks.append(self.chunks.get(timeout=seconds))
            while chunks[-1]:
                chunks.append(self.chunks.get_nowait())
        except queue.Empty:
            pass
        ended = bool(chunks) and not chunks[-1]
        if ended:
            self.chunks.put(b"")
        self.text += b"".join(chunks).decode(errors="replace")
        return not ended


class LikeGuest(Guest):
    """One card in one QEMU at a time. Its `console` is systemd's debug shell on the second serial
    port: root without a login, whatever the card's logins are. `tty` is the first port."""

    def __init__(self, number, name, address, image):
        super().__init__(number, name, address, image)
        self.tty = self.log = None
        self.reboots, self.arguments, self.state = 0, [], None

    def start(self, accel, kernel, initrd, memory, cpus, network, deadline, log_path, pass_fds=()):
        """Starts QEMU with the arguments that the card has now."""
        self.close()
        arguments = kernel_arguments(self.image)
        self.arguments.append(arguments)
        command = machine.base_command("amd64", accel, kernel, initrd, f"{arguments} {QEMU_ARGUMENTS}",
                                       memory, cpus)
        ours, theirs = socket.socketpair()
        command += [
            "-chardev", f"socket,id=shell,fd={theirs.fileno()}", "-serial", "chardev:shell",
            "-drive", f"file={self.image.replace(',', ',,')},format=raw,if=none,id=d0,cache=unsafe",
            "-device", "virtio-blk-pci,drive=d0", "-netdev", network,
            "-device", f"virtio-net-pci,netdev=n0,mac=52:54:00:00:00:{self.number:02x},romfile=",
        ]
        self.log = self.log or open(log_path, "ab")
        self.log.write(f"\n\n=== boot {len(self.arguments)}, with: {arguments}\n".encode())
        self.process = machine.start(command, pass_fds=(theirs.fileno(), *pass_fds))
        theirs.close()
        self.tty = PumpedConsole(self.process, deadline, self.log)
        self.socket = ours
        shell = types.SimpleNamespace(stdin=ours.makefile("wb"), stdout=ours)
        self.console = PumpedConsole(shell, deadline, open(log_path + ".shell", "ab"))

    def ended(self):
        return self.process is None or self.process.poll() is not None

    def close(self):
        """Kills QEMU if it runs."""
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self.socket.close()
            self.process = None


def boot_all(guests, start, patience, say):
    """Starts all guests with `start`, and starts them again when they reboot, until systemd has done
    everything it was to do, or has not come further for a while. Call this from the main thread."""
    began, since, last, asked, resumed = time.time(), {}, {}, {}, set()
    for guest in guests:
        guest.reboots = 0
        start(guest)
    waiting = list(guests)
    while waiting:
        time.sleep(2)
        for guest in list(waiting):
            if time.time() - began > patience:
                raise NoAnswer(f"{guest.name} did not boot within {patience:.0f} s; seen last: {last.get(guest)}")
            if guest.ended():
                guest.reboots += 1
                if guest.reboots > REBOOTS:
                    raise NoAnswer(f"{guest.name} rebooted {REBOOTS} times")
                say(f"{guest.name} rebooted on its own; starting it again")
                start(guest)
                since.pop(guest, None)
                asked[guest] = time.time() + 20
                continue
            # Each question costs an emulated guest a second or more.
            if time.time() < asked.setdefault(guest, began + 20):
                continue
            seen = look(guest)
            asked[guest] = time.time() + 8
            if seen and seen[0] == "maintenance" and guest not in resumed and waited_for_device(guest):
                # The boot partition's device is there in the end. On a board it takes no 90 seconds,
                # and systemd 252 does not know the argument that would make it wait longer.
                say(f"{guest.name} gave up waiting for a device; going on with the boot")
                guest.ask("systemctl reset-failed; systemctl --no-block default")
                resumed.add(guest)
                continue
            if seen != last.get(guest) or guest not in since:
                last[guest], since[guest] = seen, time.time()
            quiet = time.time() - since[guest]
            # A boot that goes on after an interruption counts as running at once, with jobs ahead.
            if guest in resumed and seen and guest.ask("systemctl list-jobs --no-legend"):
                continue
            if seen and (seen[0] in ("running", "degraded") or quiet > (30 if seen[1] in ENDLESS else 150)):
                guest.state, guest.boot_seconds = seen, time.time() - began
                waiting.remove(guest)


def waited_for_device(guest):
    """Returns whether systemd waited too long for a device, as it does on a very slow emulation."""
    return guest.ask("journalctl -b -o cat | grep -c 'Timed out waiting for device'") not in ("", "0")


def look(guest):
    """Returns (state of the system, jobs that run) as seen in the debug shell, or None so far."""
    shell = guest.console
    try:
        if not getattr(shell, "ready", False):
            # A line that is sent before the shell reads is lost or repeated; so the answer decides.
            shell.send("stty -echo columns 200; export TERM=dumb PAGER=cat; echo rea''dy")
            shell.wait_for(r"ready\r?\n", "the debug shell", 8)
            shell.ready = True
        state, _ = shell.run("systemctl is-system-running", 60)
        jobs, _ = shell.run("systemctl list-jobs --no-legend --plain", 60)
    except NoAnswer:
        return None
    running = sorted(line.split()[1] for line in jobs.splitlines() if line.endswith("running"))
    return state, " ".join(running)


def reboot(guests, patience):
    """Reboots the guests cleanly, which ends their QEMU."""
    for guest in guests:
        guest.console.send("systemctl reboot")
    end_all(guests, patience)


def end_all(guests, patience):
    """Waits until every QEMU has ended; returns the names of those that had to be killed."""
    until, killed = time.time() + patience, []
    for guest in guests:
        while not guest.ended() and time.time() < until:
            time.sleep(0.5)
        if not guest.ended():
            killed.append(guest.name)
        guest.close()
    return killed
