"""A used card, saved as a base image: the node boots from it and is used, nodecard saves it, and nothing of
its identity is left in the image."""

import mmap
import os
import subprocess
import time

from . import cards, node_checks
from .cluster import Cluster
from .machine import Unusable
from .report import Failed

# A file of the node's owner, which every card that is built from the saved base has.
DIARY, WORDS = "/home/odroid/diary", "written on the first node"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


def use(options, report, work, card, kernel, initrd, patience):
    """Boots the node of a card alone, and uses it."""
    cluster = Cluster([card], options.deadline, patience, work)
    try:
        cluster.start(options.arch, report.facts["accelerator"], kernel, initrd, options.root,
                      options.memory, min(2, os.cpu_count()))
        report.each("first: boot, log in", [card], node_checks.boot, "root", cards.PASSWORD)
        if report.failed("first: boot, log in"):
            raise Unusable("the first node did not boot, so nothing was saved")
        report.each("first: sshd runs", [card], node_checks.sshd_runs, cluster)
        has_docker = card.console.run("command -v docker")[1] == 0
        if has_docker and options.swarm != "nodecard":
            card.run(f"docker swarm init --advertise-addr {card.address}", patience)
        if has_docker:
            report.each("first: in a swarm", [card], in_swarm, cluster)
        card.run(f"echo {WORDS} > {DIARY}; sync")

        def off():
            if not card.console.power_off(patience):
                raise Failed("did not power itself off")
            return "clean shutdown"
        report.once("first: power off", off)
    finally:
        cluster.stop()
    # The other nodes' logs follow, and one of them has the same name.
    os.rename(cluster.log_path(card), os.path.join(work, "first.console.log"))


def in_swarm(card, cluster):
    """Waits until the node is in a swarm. Its service waits for the other nodes, which do not run."""
    def attempt():
        state = card.ask("docker info -f '{{.Swarm.LocalNodeState}}' 2>&1")
        return state == "active", state
    _, took = cluster.poll("a swarm", attempt, cluster.patience * 2, pause=5)
    return f"active after {took:.0f} s"


def read_file(image, number, path):
    """Returns the bytes of a file of a filesystem, or None if there is none."""
    start, _ = cards.partition(image, number)
    done = subprocess.run(["debugfs", "-R", f"cat {path}", f"{image}?offset={start}"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return None if b"File not found" in done.stderr else done.stdout


def save(options, report, work, nodecard, profile, card):
    """Saves the card as a base image; returns its path, or raises `Unusable`."""
    base = os.path.join(work, "saved", "base.img")
    os.mkdir(os.path.dirname(base))
    root = int(options.root[-1])
    key = read_file(card.image, root, HOST_KEY)
    started = time.monotonic()
    code, said = cards.run_nodecard(nodecard, "save", card.image, base, "--profile", profile,
                                    cache=os.path.join(work, "cache"), log=os.path.join(work, "nodecard.log"))
    if code:
        raise Unusable(f"nodecard save failed ({code}):\n{said}")
    seconds = time.monotonic() - started
    before, after = (os.path.getsize(path) / (1 << 20) for path in (card.image, base))
    report.add("nodecard save", True, f"a card of {before:.0f} MiB as a base of {after:.0f} MiB", seconds)

    def clean():
        if complaint := cards.e2fsck(base, root):
            raise Failed(complaint[-600:])
        return "clean"

    def neutral():
        if not key or len(key) < 300:
            raise Failed(f"the card has no {HOST_KEY}")
        if (name := read_file(base, root, "/etc/hostname")) != b"localhost\n":
            raise Failed(f"/etc/hostname is {name}")
        for path in (HOST_KEY, "/var/lib/docker/swarm/docker-state.json", "/var/lib/docker/engine-id"):
            if read_file(base, root, path) is not None:
                raise Failed(f"{path} is in the image")
        with open(base, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            if image.find(key.splitlines()[2]) >= 0:
                raise Failed("the image has the host key, outside of files")
        return "no host key, no swarm, host name localhost"
    report.once("saved: e2fsck -fn", clean)
    report.once("saved: identity is out", neutral)
    return base


def diary(guest):
    said = guest.run(f"cat {DIARY}")
    if said != WORDS:
        raise Failed(f"{DIARY} has {said!r}")
    return "as on the first node"
