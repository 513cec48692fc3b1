"""What test-devices checks: nodecard in a guest with real readers, judged by the host."""

import json
import os
import random
import re
import shutil
import subprocess
import time

from . import log_writes, machine
from .readers import Card, ReadersGuest
from .report import Failed

SIZE = 64 << 20
NODES = ["xu4-master", "xu4-node1", "xu4-node2", "xu4-node3", "xu4-node4"]
PLACES = ["reader1", "reader2", "reader3", "reader4", "slot"]
UNFINISHED = b"nodecard"  # the first bytes of a card that is being written
SLOW = 2  # MB/s, of cards that something happens to while they are written
PROFILE = """cluster: devices
base: sample-base.img.xz
card: 64MiB
network: {{interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [{dns}]}}
ssh: {{users: [root, odroid]}}
users: {{root: {{locked: true}}, odroid: {{locked: true}}}}
nodes:
"""


class Bench:
    """The files, programs and settings of one run."""

    def __init__(self, work, nodecard, sample, accel, kernel, modules, deadline):
        self.work, self.nodecard, self.accel = work, nodecard, accel
        self.kernel, self.modules, self.deadline = kernel, modules, deadline
        self.cluster = os.path.join(work, "cluster")
        self.old, self.new = os.path.join(work, "old"), os.path.join(work, "new")
        os.makedirs(self.cluster)
        shutil.copy(sample, os.path.join(self.cluster, "sample-base.img.xz"))
        # The first build makes the keys. The old cards have another name server.
        for out, dns in ((self.old, "192.168.1.2"), (self.new, "192.168.1.1")):
            self.write_profile(dns)
            code, said = self.host("build", self.profile, "--out", out, "--no-sums")
            if code:
                raise machine.Unusable(f"nodecard build failed ({code}):\n{said}")
        self.initramfs = os.path.join(work, "initramfs")

    @property
    def profile(self):
        return os.path.join(self.cluster, "c.yaml")

    def write_profile(self, dns):
        with open(self.profile, "w", encoding="utf-8") as file:
            file.write(PROFILE.format(dns=dns))
            for number, name in enumerate(NODES):
                role = ", role: manager" if number == 0 else ""
                file.write(f"  - {{name: {name}, address: 192.168.1.{80 + number}{role}}}\n")

    def host(self, *arguments, errors=subprocess.STDOUT):
        """Runs nodecard on the host; returns its exit code and output."""
        done = subprocess.run([self.nodecard, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True,
                              env=os.environ | {"XDG_CACHE_HOME": os.path.join(self.work, "cache")})
        return done.returncode, done.stdout

    def card(self, name, contents=None, **options):
        """Makes a card: empty, or a copy of the old card of a node."""
        path = os.path.join(self.work, f"{name}.card")
        if contents:
            shutil.copyfile(os.path.join(self.old, f"{contents}.img"), path)
        else:
            with open(path, "wb") as file:
                file.truncate(SIZE)
        return Card(path, **options)

    def guest(self, cards, **options):
        return ReadersGuest(self.work, self.kernel, self.initramfs, self.accel, cards,
                            deadline=self.deadline, **options)


def flash(guest, *targets, arguments="--yes --full", before="", seconds=300):
    """Runs `nodecard flash` in the guest: (output, exit code). --full also writes the zeros of a new card."""
    return guest.run(f"{before}nodecard flash c.yaml {' '.join(targets)} {arguments} 2>&1", seconds)


def expect(condition, seen):
    if not condition:
        raise Failed(seen)


def judge(bench, path, node):
    """Fails unless the card is this node's, as the profile says, with a clean filesystem."""
    code, said = bench.host("verify", bench.profile, "--node", node, path)
    expect(code == 0, f"verify of {node}'s card: exit code {code}\n{said}")
    clean(bench, path, node)


def root_start(path):
    """Returns where the last partition of a card begins, in bytes."""
    said = subprocess.run(["sfdisk", "--json", path], capture_output=True, text=True).stdout
    return json.loads(said)["partitiontable"]["partitions"][-1]["start"] * 512


def fsck(bench, path, *arguments, write=False):
    """Runs e2fsck on the root filesystem of a card; returns its exit code and output."""
    start, part = root_start(path), os.path.join(bench.work, "part")
    with open(path, "rb") as card, open(part, "wb") as file:
        card.seek(start)
        shutil.copyfileobj(card, file)
    done = subprocess.run(["e2fsck", *arguments, part], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if write:
        with open(path, "r+b") as card, open(part, "rb") as file:
            card.seek(start)
            shutil.copyfileobj(file, card)
    os.remove(part)
    return done.returncode, done.stdout


def clean(bench, path, node):
    code, said = fsck(bench, path, "-fn")
    expect(code == 0, f"e2fsck of {node}'s card: {said}")


def unfinished(path):
    with open(path, "rb") as file:
        return file.read(len(UNFINISHED)) == UNFINISHED


# ---- One boot ----

def lists_readers(guest):
    said, code = guest.run("nodecard devices --json 2>&1")
    expect(code == 0, said)
    for device in guest.devices.values():
        expect(device in said, f"{device} is not in: {said}")
    table, _ = guest.run("nodecard devices 2>&1")
    cards = table.split("Cards:")[-1].split("Rejected:")[0]
    expect("vda" not in cards, f"the system disk is listed as a card:\n{table}")
    return "four readers, the SD slot, and not the system disk"


def system_disk_refused(guest):
    before, _ = guest.run("md5sum < /dev/vda")
    said, code = flash(guest, "xu4-master=/dev/vda", arguments="--yes --allow-fixed")
    after, _ = guest.run("md5sum < /dev/vda")
    expect(code != 0 and "/boot filesystem" in said, said)
    expect(before == after, "the disk has changed")
    return re.search(r"error: (.*)", said)[1].strip()


def write_protected(guest):
    said, code = flash(guest, f"xu4-master={guest.devices['reader4']}")
    expect(code != 0 and "write-protected" in said, said)
    return re.search(r"error: (.*)", said)[1].strip()


def all_at_once(guest, bench, cards):
    targets = [f"{node}={guest.devices[place]}" for node, place in zip(NODES, PLACES)]
    said, code = flash(guest, *targets)
    expect(code == 0, said)
    parts, _ = guest.run("cat /proc/partitions")
    for device in ("sda", "sdb", "sdc", "sdd", "mmcblk0p"):
        expect(re.search(rf"\b{device}2\b", parts), f"no partition {device}2 appeared:\n{parts}")
    for node, place in zip(NODES, PLACES):
        judge(bench, cards[place].path, node)
    return "five cards right; their partitions appeared"


def as_member_of_disk(guest, bench, cards):
    disk = guest.devices["reader1"]
    guest.run(f"chgrp disk {disk}; chmod 660 {disk}; rm -rf /tmp/c; cp -r /cluster /tmp/c; chown -R maker /tmp/c")
    said, code = guest.run("cd /tmp/c; HOME=/tmp setpriv --reuid 1000 --regid 1000 --groups 6 "
                           f"nodecard flash c.yaml xu4-node1={disk} --yes 2>&1; code=$?; cd /cluster; (exit $code)", 300)
    expect(code == 0, said)
    judge(bench, cards["reader1"].path, "xu4-node1")
    return "a user of group disk wrote a card"


def start_slow(guest, targets):
    """Starts writing in the background and waits until the cards are being written."""
    guest.run(f"(nodecard flash c.yaml {' '.join(targets)} --yes --full > /tmp/out 2>&1; echo $? > /tmp/code) "
              "< /dev/null & true")


def end_of_slow(guest, seconds=300):
    said, _ = guest.run("until [ -s /tmp/code ]; do sleep 1; done; cat /tmp/out", seconds)
    code, _ = guest.run("cat /tmp/code; rm /tmp/code")
    return said, int(code)


def wait_unfinished(card, seconds=60):
    until = time.time() + seconds
    while not unfinished(card.path):
        expect(time.time() < until, "the card was not begun")
        time.sleep(0.05)


def pulled_reader(guest, bench, cards):
    """Reader 3 is slow, and pulled while it writes. The faulty card in reader 2 is replaced before."""
    guest.unplug("reader2")
    time.sleep(2)
    cards = cards | {"reader2": bench.card("sound")}
    guest.plug("reader2", cards["reader2"], nodes_as="sound")
    guest.find_devices()
    targets = [f"{node}={guest.devices[place]}" for node, place in zip(NODES[:3], PLACES)]
    start_slow(guest, targets)
    wait_unfinished(cards["reader3"])
    time.sleep(1)
    guest.unplug("reader3")
    said, code = end_of_slow(guest)
    expect(code not in (0, 101), f"exit code {code}:\n{said}")
    expect(re.search(r"xu4-node2", said), f"the card is not named:\n{said}")
    for node, place in zip(NODES[:2], PLACES):
        judge(bench, cards[place].path, node)
    expect(unfinished(cards["reader3"].path), "the pulled card is not marked as unfinished")
    return f"the two others are right; exit code {code}: " + last_error(said)


def pulled_while_saved(guest, bench):
    """Reader 3 comes back with a card that is slow to read, and is pulled while it is saved."""
    card = bench.card("saved", "xu4-node2", read_mbps=SLOW)
    guest.plug("reader3", card, nodes_as="saved")
    guest.find_devices()
    before = open(card.path, "rb").read()
    guest.run("rm -rf /tmp/saved /tmp/code; mkdir /tmp/saved; "
              f"(nodecard save {guest.devices['reader3']} /tmp/saved/new.img.zst > /tmp/out 2>&1; echo $? > /tmp/code) "
              "< /dev/null & true")
    # Its temporary file is there, so the contents are being read.
    said, code = guest.run("until ls -A /tmp/saved | grep -q partial || [ -s /tmp/code ]; do sleep 0.1; done; "
                           "cat /tmp/out; ls -A /tmp/saved | grep -q partial", 120)
    expect(code == 0, f"saving never began to write:\n{said}")
    guest.unplug("reader3")
    said, code = end_of_slow(guest, 120)
    expect(code not in (0, 101), f"exit code {code}:\n{said}")
    expect("was removed while it was being read" in said, said)
    left, _ = guest.run("ls -A /tmp/saved")
    expect(not left.strip(), f"this was left: {left}")
    expect(open(card.path, "rb").read() == before, "the card was changed")
    return f"nothing is left; exit code {code}: " + last_error(said)


def last_error(said):
    """Returns the lines of an output that say what failed, without those that only count."""
    found = re.findall(r"[^\n]*(?:error|failed|cannot|FAILED|it is not)[^\n]*", said)
    return " / ".join(line.strip() for line in found[-3:]) or said.strip().splitlines()[-1]


def swap_card(guest, reader, card, nodes_as):
    """Replaces a reader's card, and waits until the kernel has the new one under the same name."""
    disk = guest.devices[reader]
    guest.unplug(reader)
    guest.run(f"until [ ! -e {disk} ]; do sleep 0.2; done", 60)
    guest.plug(reader, card, nodes_as=nodes_as)
    guest.find_devices()
    expect(guest.devices[reader] == disk, f"{reader} was {disk} and is {guest.devices[reader]}: nothing is shown")


def diskseq(guest, reader):
    said, _ = guest.run(f"cat /sys/block/{os.path.basename(guest.devices[reader])}/diskseq")
    return int(said)


def swapped_at_prompt(guest, bench, cards):
    """The card is swapped after nodecard showed it and before the answer. The kernel calls the new one by
    the same name, and it has the same size and serial number."""
    contents = bench.card("swapped", "xu4-node3")
    disk = guest.devices["reader2"]
    first = diskseq(guest, "reader2")
    # The answers come from a pipe, so that the shell is free meanwhile.
    guest.run("rm -f /tmp/answer /tmp/code; mkfifo /tmp/answer; (nodecard flash c.yaml "
              f"xu4-master={disk} < /tmp/answer > /tmp/out 2>&1; echo $? > /tmp/code) & exec 9> /tmp/answer")
    guest.run("until grep -qi 'type ' /tmp/out; do sleep 0.2; done", 120)
    swap_card(guest, "reader2", contents, "reader2b")
    second = diskseq(guest, "reader2")
    expect(second > first, f"the kernel has not counted the new card: {first}, {second}")
    guest.run(f"echo {os.path.basename(disk)} >&9; exec 9>&-")
    said, code = end_of_slow(guest, 120)
    expect(code != 0, f"the other card was accepted:\n{said}")
    expect("the device or card has been exchanged since it was checked" in said, f"refused for another reason:\n{said}")
    with open(contents.path, "rb") as card, open(os.path.join(bench.old, "xu4-node3.img"), "rb") as old:
        expect(card.read() == old.read(), "the other card was written to")
    return f"diskseq {first}, then {second}: " + last_error(said)


def one_reader(guest, bench):
    """One reader, whose card is swapped twice; a finished card is inserted again; then nodecard is ended."""
    nodes = NODES[:3]
    made = [bench.card(f"one-{node}") for node in nodes]
    swap_card(guest, "reader4", made[0], "one0")
    guest.run("rm -f /tmp/code; (nodecard flash c.yaml --one-reader "
              f"{guest.devices['reader4']} --yes > /tmp/out 2>&1; echo $? > /tmp/code) < /dev/null & true")

    def wait_for(words):
        said, code = guest.run(f"until grep -q '{words}' /tmp/out || [ -s /tmp/code ]; do sleep 0.2; done; "
                               f"cat /tmp/out; grep -q '{words}' /tmp/out", 180)
        expect(code == 0, f"nodecard did not say {words!r}:\n{said}")

    wait_for("insert the card for xu4-node1")
    swap_card(guest, "reader4", made[1], "one1")
    wait_for("insert the card for xu4-node2")
    swap_card(guest, "reader4", Card(made[0].path), "one2")
    wait_for("This is the finished card of xu4-master")
    swap_card(guest, "reader4", made[2], "one3")
    wait_for("insert the card for xu4-node3")
    guest.run("kill -TERM $(pidof nodecard)")
    said, code = end_of_slow(guest, 60)
    expect(code == 130 and "--resume" in said, f"exit code {code}:\n{said}")
    for node, card in zip(nodes, made):
        judge(bench, card.path, node)
    return "three cards right, a finished one not overwritten, and how to continue is said"


def faulty_card(guest, bench, cards, place, what):
    targets = [f"xu4-master={guest.devices['reader1']}", f"xu4-node1={guest.devices[place]}"]
    said, code = flash(guest, *targets)
    expect(code not in (0, 101), f"exit code {code}:\n{said}")
    expect(re.search(rf"xu4-node1|{guest.devices[place]}", said), said)
    judge(bench, cards["reader1"].path, "xu4-master")
    expect(unfinished(cards[place].path), f"the card with a {what} error is not marked as unfinished")
    return f"the other card is right; exit code {code}: " + last_error(said)


# ---- Power cuts: the same saved guest goes on again and again ----

def cut(bench, state, card, command, seconds):
    """Runs a command in the saved guest and kills QEMU after so many seconds; None: lets it end."""
    guest = bench.guest({"reader1": card}, state=state)
    try:
        started = time.monotonic()
        if seconds is None:
            said, code = guest.run(command, 300)
            expect(code == 0, said)
        else:
            guest.console.send(command)
            time.sleep(seconds)
        return time.monotonic() - started
    finally:
        guest.kill()


def replay(bench, state, card):
    """Lets the guest's kernel mount the card, which replays its journal."""
    guest = bench.guest({"reader1": card}, state=state)
    try:
        said, code = guest.run("mount -t ext4 /dev/sda2 /mnt 2>&1 && umount /mnt", 120)
        expect(code == 0, f"the kernel does not mount the card: {said}")
        guest.run("sync; blockdev --flushbufs /dev/sda")
    finally:
        guest.kill()


def cuts(bench, report, kind, times):
    """Cuts the power `times` times while a card is flashed, updated or corrected."""
    command = {"flash": "nodecard flash c.yaml xu4-master=/dev/sda --yes --full > /tmp/out 2>&1",
               "update": "nodecard flash c.yaml xu4-master=/dev/sda --yes > /tmp/out 2>&1",
               "apply": "nodecard apply c.yaml xu4-master=/dev/sda --yes > /tmp/out 2>&1"}[kind]
    old = "xu4-master" if kind == "apply" else "xu4-node3"
    card = bench.card("cut", old)
    state = os.path.join(bench.work, f"{kind}.state")
    guest = bench.guest({"reader1": card})
    guest.boot()
    guest.save(state)
    guest.kill()
    whole = cut(bench, state, card, command, None)
    judge(bench, card.path, "xu4-master")
    drawn = random.Random(f"test-devices {kind}")
    counts = {"old": 0, "unfinished": 0, "new": 0}
    for _ in range(times):
        card = bench.card("cut", old)
        when = drawn.uniform(0.05, whole)
        cut(bench, state, card, command, when)
        counts[state_of(bench, state, card, old, kind, when)] += 1
    os.remove(state)
    return f"{times} cuts within {whole:.1f} s: " + ", ".join(f"{count} {name}" for name, count in counts.items())


def state_of(bench, state, card, old, kind, when):
    """Returns what a card is after a cut; fails if it is anything in between."""
    with open(card.path, "rb") as file, open(os.path.join(bench.old, f"{old}.img"), "rb") as before:
        if file.read() == before.read():
            return "old"
    if unfinished(card.path):
        expect(kind != "apply", f"apply left an unfinished card, cut after {when:.2f} s")
        return "unfinished"
    if kind == "apply":
        replay(bench, state, card)
    clean(bench, card.path, f"cut after {when:.2f} s")
    code, said = bench.host("verify", bench.profile, "--node", "xu4-master", card.path)
    if code == 0:
        return "new"
    expect(kind == "apply" and same_files(bench, card, old), f"cut after {when:.2f} s: neither old nor new:\n{said}")
    return "old"


def same_files(bench, card, old):
    """Whether verify reports of a card exactly what it reports of the old one."""
    reports = []
    for path in (card.path, os.path.join(bench.old, f"{old}.img")):
        _, said = bench.host("verify", bench.profile, "--node", "xu4-master", path, "--json",
                             errors=subprocess.DEVNULL)
        reports.append([(finding["code"], finding.get("path")) for card in json.loads(said)["cards"]
                        for finding in card.get("findings", [])])
    return reports[0] == reports[1]


def every_flush(bench):
    """Replays the log of an apply's writes up to each flush."""
    log = os.path.join(bench.work, "apply.log")
    with open(log, "wb"):
        pass
    card = bench.card("logged", "xu4-master", log=log)
    guest = bench.guest({"reader1": card})
    try:
        guest.boot()
        said, code = guest.run("nodecard apply c.yaml xu4-master=/dev/sda --yes 2>&1", 300)
        expect(code == 0, said)
        guest.qmp("quit")
        guest.process.wait(30)
    finally:
        guest.kill()
    replayed, part = bench.card("replayed", "xu4-master"), os.path.join(bench.work, "state")
    counts = {"old": 0, "new": 0}
    for number in log_writes.states(log, replayed.path):
        shutil.copyfile(replayed.path, part)
        kind = journal_state(bench, Card(part), number)
        counts[kind] += 1
    expect(counts["old"] and counts["new"], f"only one state was seen: {counts}")
    return f"at {sum(counts.values())} flushes: {counts['old']} old, {counts['new']} new"


def journal_state(bench, card, number):
    """Returns what a card is after e2fsck replayed its journal, as the kernel does when it mounts it."""
    code, said = fsck(bench, card.path, "-fy", "-E", "journal_only", write=True)
    expect(code in (0, 1), f"flush {number}: {said}")
    clean(bench, card.path, f"flush {number}")
    code, said = bench.host("verify", bench.profile, "--node", "xu4-master", card.path)
    if code == 0:
        return "new"
    expect(same_files(bench, card, "xu4-master"), f"flush {number}: neither old nor new:\n{said}")
    return "old"
