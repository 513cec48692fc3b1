"""Checks of every node, run inside the guests on their consoles."""

import re
import time

from .report import Failed

# What ext4 prints when all is well; anything else is a complaint. A card that was built offline
# and has never run has no journal to recover.
EXT4_SAYS = re.compile(
    r"mounted filesystem|re-mounted|unmounting|mounting ext[234] file system|Registered"
    r"|using the ext4 subsystem|write access|orphan cleanup on readonly fs")
STORAGE = re.compile(r"ext4|jbd2|buffer i/o error|i/o error, dev", re.I)


def boot(guest, user, password):
    started = time.time()
    guest.console.log_in(user, password)
    guest.boot_seconds = time.time() - started
    return f"{guest.boot_seconds:.0f} s"


def sshd_runs(guest, cluster):
    """Waits for sshd, which can start after getty; a later check would take that for a refusal."""
    def attempt():
        state = guest.ask("systemctl is-active ssh")
        return state == "active", state
    _, seconds = cluster.poll("ssh.service", attempt)
    return "active"


def hostname(guest):
    said = guest.run("echo $(hostname) $(cat /etc/hostname) $(uname -n)").split()
    if said != [guest.name] * 3:
        raise Failed(f"hostname, /etc/hostname and the kernel report {' '.join(said)}")
    return guest.name


def address(guest, prefix, gateway):
    said = guest.ask("ip -4 -o addr show dev eth0")
    found = re.findall(r"inet ([0-9./]+)", said)
    if found != [f"{guest.address}/{prefix}"]:
        raise Failed(f"eth0 has {', '.join(found) or 'no address'}, not {guest.address}/{prefix}")
    if "dynamic" in said:
        raise Failed(f"{guest.address} was assigned by DHCP")
    routes = guest.ask("ip -4 route show default")
    if f"via {gateway} dev eth0" not in routes or len(routes.splitlines()) != 1:
        raise Failed(f"the default routes are {routes or 'none'}, not one via {gateway}")
    return guest.address


def pings(guest, cluster):
    """Pings every other node by name, which checks /etc/hosts as well."""
    for other in cluster.others(guest):
        said = guest.ask(f"ping -c 3 -W 10 {other.name}", cluster.patience)
        if f"({other.address})" not in said:
            raise Failed(f"{other.name} is not {other.address}: {said[:200]}")
        if not re.search(r"[1-9]\d* received", said):
            raise Failed(f"{other.name} does not answer: {said[-200:]}")
    return f"{len(cluster.guests) - 1} others"


def ssh(guest, cluster, users):
    """Logs in to every node with neither password nor question, and with known host keys only."""
    names = " ".join(other.name for other in cluster.guests)
    command = (
        f"for u in {' '.join(users)}; do for n in {names}; do echo $u@$n: $(su - $u -c "
        '"ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=60 '
        "$n 'hostname; id -un'\" 2>&1 </dev/null); done; done")
    said = guest.run(command, cluster.patience * 2).splitlines()
    expected = [f"{user}@{other.name}: {other.name} {user}"
                for user in users for other in cluster.guests]
    if wrong := [line for line in said if line not in expected]:
        raise Failed("; ".join(wrong[:3]))
    if missing := [line for line in expected if line not in said]:
        raise Failed(f"no answer from {missing[0].split(':')[0]}")
    return f"{len(expected)} logins"


def root_size(guest, device, card_bytes):
    """Checks that the partition ends 1 MiB before the end of the card and that ext4 fills it."""
    partition = device.rsplit("/", 1)[1]
    disk = partition.rstrip("0123456789")
    said = guest.run(
        f"cd /sys/class/block; cat {disk}/size {partition}/start {partition}/size; "
        f"dumpe2fs -h {device} 2>/dev/null | sed -n 's/^Block \\(count\\|size\\): *//p'; "
        "stat -f -c %b /")
    disk_size, start, size, blocks, block_size, mounted = (int(word) for word in said.split())
    if disk_size * 512 != card_bytes or (start + size) * 512 != card_bytes - (1 << 20):
        raise Failed(f"the partition is sectors {start}+{size} of {disk_size}")
    if not size * 512 - block_size < blocks * block_size <= size * 512:
        raise Failed(f"{blocks} blocks of {block_size} in a partition of {size} sectors")
    # statfs does not count inode tables and the journal.
    if mounted < blocks * 0.9:
        raise Failed(f"the kernel counts {mounted} blocks of {blocks}")
    return f"{blocks * block_size / (1 << 30):.2f} GiB"


def kernel_log(guest):
    lines = [line for line in guest.ask("dmesg").splitlines()
             if STORAGE.search(line) and "ommand line: " not in line]
    if not any("mounted filesystem" in line for line in lines):
        raise Failed("dmesg does not tell of the root filesystem's mounting")
    if complaints := [line for line in lines if not EXT4_SAYS.search(line)]:
        raise Failed("\n".join(complaints[:5]))
    return "no complaint"


def failed_units(guest):
    said = guest.ask("systemctl --failed --no-legend --plain")
    if said:
        raise Failed(" ".join(line.split()[0] for line in said.splitlines()))
    return "none"


def machine_id(guest):
    said = guest.run("cat /etc/machine-id")
    if not re.fullmatch(r"[0-9a-f]{32}", said):
        raise Failed(f"/etc/machine-id is {said!r}")
    return said


def host_keys(guest):
    said = guest.run("for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done")
    return " ".join(re.findall(r"SHA256:\S+", said))


def all_different(what, seen, count):
    """Checks `seen`, {node: one or more words}: no two nodes may have the same word."""
    owner = {}
    for node, words in seen.items():
        for word in words.split():
            if word in owner:
                raise Failed(f"{owner[word]} and {node} have the same {what} {word}")
            owner[word] = node
    if len(seen) < count or len(owner) < count:
        raise Failed(f"only {len(owner)} {what}s of {count} nodes")
    return f"{len(owner)} of {count} nodes"
