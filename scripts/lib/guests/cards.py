"""The base image and the cards: the cluster's profile, images built by nodecard, and their checks."""

import json
import os
import subprocess

from .machine import Unusable

BY_PROFILE = "  - {{name: {name}, address: {address}{role}}}\n"
# The nodes' password, and its hash by `openssl passwd -6 -salt nodecard boot-cluster`. A default
# password, such as that of the base images, would make `nodecard verify` report a note.
PASSWORD = "boot-cluster"
PASSWORD_HASH = (
    "$6$nodecard$aduchV08GF9OW6fXKEWRY8dZk2L9.aODwtQpMQ/dbXElmLQW"
    "2Tx6SmwHe0bilYXJeiZ25v31jFenh3p8a2dI.1")
# The place of the image archive for a swarm that is created by hand.
ARCHIVE_ON_CARD = "/root/httpd.tar"


def make_base(scripts, arch, network, small):
    """Returns the directory of a base image that scripts/make-base makes, or has made before."""
    command = [os.path.join(scripts, "make-base"), "--where", "--arch", arch, "--network", network]
    done = subprocess.run(command + ["--small"] * small, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Unusable("scripts/make-base failed; see above")
    return done.stdout.strip().splitlines()[-1]


def find_base(directory):
    """Returns (image, kernel, initrd) of a directory like those of scripts/make-base."""
    kernel, initrd = (os.path.join(directory, name) for name in ("vmlinuz", "initrd.img"))
    images = [
        entry.path for entry in sorted(os.scandir(directory), key=lambda e: e.name)
        if ".img" in entry.name and not entry.name.startswith("initrd")
        and not entry.name.endswith((".sha256", ".bmap"))
    ] if os.path.isdir(directory) else []
    if len(images) != 1 or not os.path.isfile(kernel) or not os.path.isfile(initrd):
        raise Unusable(f"{directory} must contain one image (.img, .img.xz ...), vmlinuz and "
                       "initrd.img, like the directories of scripts/make-base")
    return images[0], kernel, initrd


def write_profile(path, *, base, card, nodes, gateway, archive=None, by_hand=False, users=None):
    """Writes the profile of the article's cluster, with as many nodes as requested. `users` maps each
    user to the profile's text; by default root and odroid have the password of this module."""
    users = users or {user: f"{{password: '{PASSWORD_HASH}'}}" for user in ("root", "odroid")}
    text = f"cluster: boot-cluster\nbase: {json.dumps(base)}\ncard: {card}\n"
    text += f"network: {{interface: eth0, prefix: 24, gateway: {gateway}, dns: [{gateway}]}}\n"
    text += f"ssh: {{users: [{', '.join(users)}]}}\nusers:\n"
    for user, settings in users.items():
        text += f"  {user}: {settings}\n"
    text += "nodes:\n"
    for number, (name, address) in enumerate(nodes):
        text += BY_PROFILE.format(name=name, address=address,
                                  role=", role: manager" if number == 0 else "")
    if archive and by_hand:
        text += f"files:\n  - {{path: {ARCHIVE_ON_CARD}, source: {json.dumps(archive)}}}\n"
    elif archive:
        text += f"swarm:\n  wait: 20m\n  images: [{json.dumps(archive)}]\n  services:\n"
        text += '    - {name: httpd, image: nodecard-lbtest, replicas: 3, publish: ["80:80"]}\n'
    with open(path, "w") as file:
        file.write(text)


def run_nodecard(nodecard, *arguments, cache, log, run_in=()):
    """Runs nodecard; returns its exit code and its output. Decoded base images go into `cache`,
    which is removed with everything else."""
    done = subprocess.run([*run_in, nodecard, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True,
                          env={**os.environ, "XDG_CACHE_HOME": cache})
    with open(log, "a") as file:
        file.write(f"$ nodecard {' '.join(arguments)}\n{done.stdout}\n(exit {done.returncode})\n\n")
    return done.returncode, done.stdout.strip()


def partition(image, number):
    """Returns start and length in bytes of a primary partition of an MBR."""
    with open(image, "rb") as file:
        entry = file.read(512)[446 + 16 * (number - 1):][:16]
    start, count = (int.from_bytes(entry[at:at + 4], "little") for at in (8, 12))
    return start * 512, count * 512


def e2fsck(image, number):
    """Returns None if the filesystem is clean, otherwise the output of e2fsck."""
    start, _ = partition(image, number)
    done = subprocess.run(["e2fsck", "-fn", f"{image}?offset={start}"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    return done.stdout.strip() if done.returncode else None
