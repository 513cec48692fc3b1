"""QEMU's command line for a card image, and a test whether KVM really works."""

import os
import platform
import shutil
import subprocess
import tempfile
import time

ARCHITECTURES = {
    "armhf": {
        "program": "qemu-system-arm", "package": "qemu-system-arm",
        "console": "ttyAMA0", "bus": "device",
        "machine": ["-M", "virt,highmem=off"], "emulated": "cortex-a15",
        "kvm_hosts": ("armv7l",),
    },
    "amd64": {
        "program": "qemu-system-x86_64", "package": "qemu-system-x86",
        "console": "ttyS0", "bus": "pci",
        "machine": ["-machine", "q35"], "emulated": "max",
        "kvm_hosts": ("x86_64",),
    },
}
# A kernel that works under KVM prints its first line within a second; one that hangs never does.
KVM_SECONDS = 8


class Unusable(Exception):
    """Something is missing on this machine, or a file cannot be booted."""


def kernel_architecture(path):
    """Returns armhf or amd64, by the magic of the kernel image (zImage at 0x24, bzImage at 0x202)."""
    with open(path, "rb") as file:
        head = file.read(0x210)
    if head[0x24:0x28] == bytes.fromhex("18286f01"):
        return "armhf"
    if head[0x202:0x206] == b"HdrS":
        return "amd64"
    raise Unusable(f"{path} is neither an ARM zImage nor an x86 bzImage; use another kernel")


def need_qemu(arch):
    known = ARCHITECTURES[arch]
    if not shutil.which(known["program"]):
        raise Unusable(f"missing: {known['program']} (Debian package {known['package']})")


def base_command(arch, accel, kernel, initrd, append, memory, cpus):
    known = ARCHITECTURES[arch]
    cpu = "host" if accel == "kvm" else known["emulated"]
    return [
        known["program"], *known["machine"], "-cpu", cpu,
        "-accel", "tcg,thread=multi" if accel == "tcg" else accel,
        "-smp", str(cpus), "-m", str(memory),
        "-kernel", kernel, "-initrd", initrd, "-append", f"console={known['console']} {append}",
        "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
    ]


def command(arch, accel, *, kernel, initrd, image, network, mac, root="/dev/vda2", discard=False,
            memory=1024, cpus=2):
    """Returns the command that boots `image`. With `discard`, the guest's writes are discarded."""
    bus = ARCHITECTURES[arch]["bus"]
    # The host's page cache outlives QEMU, so its flushes would only cost time.
    drive = f"file={image.replace(',', ',,')},format=raw,if=none,id=d0,cache=unsafe"
    append = f"root={root} rootwait ro fsck.repair=yes net.ifnames=0"
    return base_command(arch, accel, kernel, initrd, append, memory, cpus) + [
        "-drive", drive + (",snapshot=on" if discard else ""),
        "-device", f"virtio-blk-{bus},drive=d0",
        # Without a boot ROM: nothing boots from the network, and the ROM's package can be missing.
        "-netdev", network, "-device", f"virtio-net-{bus},netdev=n0,mac={mac}"
        + (",romfile=" if bus == "pci" else ""),
    ]


def start(arguments, pass_fds=()):
    """Starts QEMU so that it ends with this process, even if that is killed. Call this from the main
    thread: the kernel ends QEMU when the thread that started it ends."""
    if setpriv := shutil.which("setpriv"):
        arguments = [setpriv, "--pdeathsig", "KILL", *arguments]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, bufsize=0, pass_fds=pass_fds,
                            start_new_session=True)


def accelerator(arch, wish, kernel, initrd):
    """Returns ("kvm" or "tcg", the reason). Guests can hang although /dev/kvm exists, so KVM is used
    only if a kernel prints something under it."""
    if wish == "tcg":
        return "tcg", "requested"
    if platform.machine() not in ARCHITECTURES[arch]["kvm_hosts"]:
        why = f"KVM does not run {arch} on {platform.machine()}"
    elif not os.access("/dev/kvm", os.R_OK | os.W_OK):
        why = "there is no /dev/kvm that this user can open"
    else:
        why = kvm_fault(arch, kernel, initrd)
    if why and wish == "kvm":
        raise Unusable(f"--accel kvm: {why}; use --accel tcg")
    return ("tcg", why) if why else ("kvm", "a test boot succeeded")


def kvm_fault(arch, kernel, initrd):
    """Returns what goes wrong when the kernel is started under KVM, or None."""
    arguments = base_command(arch, "kvm", kernel, initrd, "panic=-1", 512, 1)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=said,
                                   stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + KVM_SECONDS
            while time.monotonic() < until:
                ended = process.poll() is not None
                said.seek(0)
                text = said.read()
                # These lines come late: interrupts and timers work by then.
                if b"Run /init" in text or b"Freeing unused kernel" in text:
                    return None
                if ended:
                    last = text.decode(errors="replace").strip().splitlines()[:1]
                    return "QEMU ended a test boot with KVM: " + " ".join(last)
                time.sleep(0.2)
            return f"KVM is available, but a test boot did not succeed within {KVM_SECONDS} s"
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
