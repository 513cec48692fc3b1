"""The run of scripts/boot-cluster --like: cards from a base that imitates a family of boards, booted
twice, and the checks after each boot."""

import hashlib
import os
import time

from . import cards, like, node_checks
from .dhcp import DhcpServer
from .report import Failed
from .switch import Switch

HASH_KEYS = "cd / && find etc/ssh etc/dropbear -name '*_key' 2>/dev/null | sort | xargs -r md5sum"


def users_of(options):
    """Returns {user: what the profile says of it}: root has a password, the others are locked."""
    family = like.FAMILIES[options.like]
    wanted = options.users.split(",") if options.users else family["users"]
    users = {}
    for user in wanted:
        if user == "root":
            users[user] = f"{{password: '{cards.PASSWORD_HASH}'}}"
        elif user in family.get("created", []):
            users[user] = "{create: true, groups: [sudo], shell: /bin/bash, sudo: nopasswd, locked: true}"
        else:
            users[user] = "{locked: true}"
    return users


def written(guest):
    """Records the host keys and machine id of the card before its first boot."""
    image, keys = guest.image, []
    for directory in ("/etc/dropbear", "/etc/ssh"):
        for name in like.list_root(image, directory):
            if name.endswith("_key"):
                text = like.read_root_bytes(image, f"{directory}/{name}")
                keys.append(f"{hashlib.md5(text).hexdigest()} {directory[1:]}/{name}")
    guest.keys = sorted(keys)
    guest.machine_id = (like.read_root_file(image, "/etc/machine-id") or "").strip()
    return f"{len(keys)} host keys, machine id {guest.machine_id[:8] or 'empty'}"


def own_host_keys(guests):
    """Checks that no two cards have a host key in common, such as one of the base image."""
    owners = {}
    for guest in guests:
        for line in guest.keys:
            digest, path = line.split()
            owners.setdefault(digest, set()).add(f"{path} of {guest.name}")
    shared = [" and ".join(sorted(paths)) for paths in owners.values() if len({p.split()[-1] for p in paths}) > 1]
    if shared:
        raise Failed(f"the same on several cards: {'; '.join(sorted(shared))}")
    return f"{len(owners)} keys on {len(guests)} cards"


def finished(guest):
    state, jobs = guest.state
    if state not in ("running", "degraded"):
        raise Failed(f"systemd is still {state} after {guest.boot_seconds:.0f} s; running: {jobs or 'no job'}")
    if guest.reboots:
        raise Failed(f"rebooted on its own {guest.reboots} times")
    return f"{guest.boot_seconds:.0f} s"


def listens(guest):
    seen = guest.ask("ss -Hltn 'sport = :22'")
    if not seen:
        states = guest.ask("for u in ssh.service ssh.socket dropbear.service; do "
                           "echo $u $(systemctl is-enabled $u 2>&1), $(systemctl is-active $u); done")
        raise Failed(f"nothing listens on port 22: {'; '.join(states.splitlines())}")
    return "port 22"


def machine_id(guest):
    said = node_checks.machine_id(guest)
    if said != guest.machine_id:
        raise Failed(f"{said}, but the card had {guest.machine_id or 'none'}")
    return said


def host_keys(guest):
    said = sorted(" ".join(line.split()) for line in guest.ask(HASH_KEYS).splitlines())
    if said != guest.keys:
        now, then = (dict(reversed(line.split()) for line in lines) for lines in (said, guest.keys))
        changed = [f"{path} {'replaced' if path in now else 'removed'}" for path in then if now.get(path) != then[path]]
        changed += [f"{path} new" for path in now if path not in then]
        raise Failed(", ".join(sorted(changed)))
    if not said:
        raise Failed("no host keys")
    return f"{len(said)} as on the card"


def address(guest, dhcp, prefix, gateway):
    seen = node_checks.address(guest, prefix, gateway)
    mac = f"52:54:00:00:00:{guest.number:02x}"
    if mac in dhcp.leases:
        raise Failed(f"asked for an address by DHCP, and was given {dhcp.leases[mac]}")
    return seen


def ssh(guest, guests, users, seconds):
    """Like node_checks.ssh, but also from accounts without a shell, and with dropbear's client. That
    one does not read OpenSSH's files: it gets a copy of the key and of the known hosts, one name a
    line. About a host that it does not know it asks for ever, so it is killed in the end."""
    said = {}
    for user in users:
        for other in guests:
            client = (
                "if command -v ssh >/dev/null; then ssh -o BatchMode=yes -o StrictHostKeyChecking=yes "
                f"-o ConnectTimeout=60 {other.name} 'hostname; id -un'; "
                "else d=/tmp/dbclient-$(id -u); mkdir -p $d/.ssh; "
                "dropbearconvert openssh dropbear ~/.ssh/id_ed25519 $d/key >/dev/null 2>&1; "
                "awk '{ n = split($1, h, /,/); for (i = 1; i <= n; i++) print h[i], $2, $3 }' "
                "/etc/ssh/ssh_known_hosts >$d/.ssh/known_hosts; "
                f"HOME=$d timeout -s KILL {seconds // 3:.0f} dbclient -i $d/key {user}@{other.name} "
                "'hostname; id -un'; fi")
            # Without a terminal, dropbear's client cannot ask about an unknown host key.
            quoted = client.replace("$", "\\$")
            line = guest.ask(f'echo $(timeout {seconds // 2:.0f} setsid -w su -s /bin/sh - {user} -c "{quoted}" '
                             "2>&1 </dev/null)", seconds)
            said[f"{user}@{other.name}"] = line, f"{other.name} {user}"
    wrong = [f"{who}: {line[:200] or 'no answer'}" for who, (line, right) in said.items() if line != right]
    if wrong:
        raise Failed("; ".join(wrong[:3]) + (f"; {len(wrong) - 3} more" if len(wrong) > 3 else ""))
    return f"{len(said)} logins"


# getty's prompt, but not the line about the last login.
LOGIN = r"\S(?<!Last) login: "


def try_login(tty, user, password):
    """Returns whether the console lets somebody in. Starts and ends at the login prompt."""
    tty.send(user)
    tty.wait_for(r"[Pp]assword: ", "the password prompt", 120)
    tty.send(password)
    answer = tty.wait_for(rf"@\S+[#$] |incorrect|timed out|not available|[Nn]ew password|must change|{LOGIN}",
                          f"the answer to {user}'s password", 240)[0]
    inside = answer.startswith("@")
    expired = "ew password" in answer or "must change" in answer
    if inside:
        tty.send("exit")
    for _ in range(3 if expired else 0):
        tty.send("")
        time.sleep(3)
    # getty throws away what is typed before its prompt.
    if not answer.endswith("login: "):
        tty.wait_for(LOGIN, "the next login prompt", 120)
    return inside or expired


def logins(guest, defaults):
    """Checks that the console refuses the default logins and accepts the profile's password of root."""
    tty = guest.tty
    tty.send("")
    prompt = tty.wait_for(rf"{LOGIN}|[#$] $|\n[^\n]*password: ", "a login prompt on the console", 120)[0]
    if "login: " not in prompt:
        raise Failed(f"the console asks for no login: {prompt.strip()!r}")
    # The empty line makes getty print its prompt again.
    time.sleep(3)
    tty.read_some(0)
    let_in = [f"{user} with {password!r}" for user, password in defaults if try_login(tty, user, password)]
    if let_in:
        raise Failed(f"the console lets in {', '.join(let_in)}")
    if not try_login(tty, "root", cards.PASSWORD):
        raise Failed("root cannot log in with the profile's password")
    return f"{len(defaults)} default logins refused"


def after_boot(report, number, guests, options, dhcp, gateway, prefix, patience):
    family = like.FAMILIES[options.like]
    users = list(users_of(options))
    card_bytes = os.path.getsize(guests[0].image)
    root = f"/dev/vda{like.root_number(guests[0].image)}"

    class Others:
        """The part of a Cluster that node_checks uses."""
        def others(guest):
            return [other for other in guests if other is not guest]
    Others.guests, Others.patience = guests, patience

    def each(name, check, *arguments):
        return report.each(f"{number}. {name}", guests, check, *arguments)
    each("boot finished", finished)
    each("host name", node_checks.hostname)
    each("static address only", address, dhcp, prefix, gateway)
    each("machine id", machine_id)
    each("host keys", host_keys)
    each("root fills the card", node_checks.root_size, root, card_bytes)
    each("ssh server", listens)
    each("ping by name", node_checks.pings, Others)
    each("ssh, no question", ssh, guests, users, patience)
    each("default logins", logins, family["logins"])
    each("failed units", node_checks.failed_units)
    each("ext4 in dmesg", node_checks.kernel_log)


def run(options, report, work, nodecard, base, kernel, initrd, *, gateway, prefix, names, patience, say):
    """Builds the cards, boots them twice and checks them. Raises Unusable if they do not boot."""
    nodes = [(name, f"192.168.1.{80 + number}") for number, name in enumerate(names)]
    profile, out = os.path.join(work, "cluster.yaml"), os.path.join(work, "cards")
    cards.write_profile(profile, base=os.path.abspath(base), card=options.card, nodes=nodes, gateway=gateway,
                        users=users_of(options))
    log = os.path.join(work, "nodecard.log")
    started = time.monotonic()
    code, said = cards.run_nodecard(nodecard, "build", profile, "--out", out, "--no-sums",
                                    cache=os.path.join(work, "cache"), log=log)
    print(said, flush=True)
    report.add("nodecard build", code == 0, f"{len(nodes)} cards of {options.card}" if code == 0 else said,
               time.monotonic() - started)
    if code:
        return
    guests = [like.LikeGuest(80 + number, name, address, os.path.join(out, f"{name}.img"))
              for number, (name, address) in enumerate(nodes)]
    report.each("cards as built", guests, written)
    report.once("host keys differ", own_host_keys, guests)

    switch = Switch()
    dhcp = DhcpServer(switch.plug_in(), gateway)
    switch.start()
    dhcp.start()

    def start(guest):
        theirs = switch.plug_in()
        guest.start(report.facts["accelerator"], kernel, initrd, options.memory,
                    max(1, min(2, os.cpu_count() // len(guests))), f"socket,id=n0,fd={theirs.fileno()}",
                    options.deadline, os.path.join(work, f"{guest.name}.console.log"), (theirs.fileno(),))
        theirs.close()

    try:
        for number in (1, 2):
            say(f"boot {number} of {len(guests)} nodes")
            like.boot_all(guests, start, patience * 3, say)
            after_boot(report, number, guests, options, dhcp, gateway, prefix, patience)
            for guest in guests:
                guest.console.send("systemctl reboot" if number == 1 else "systemctl poweroff")
            killed = like.end_all(guests, patience)
            report.add(f"{number}. shutdown", not killed, ", ".join(killed) + " had to be killed" if killed else
                       "clean", 0)
    finally:
        for guest in guests:
            guest.close()
        switch.stop()
    for guest in guests:
        report.facts[f"kernel arguments of {guest.name}"] = " | then: ".join(dict.fromkeys(guest.arguments))
    check_cards(report, nodecard, profile, base, guests, work, log)


def check_cards(report, nodecard, profile, base, guests, work, log):
    def verify():
        code, said = cards.run_nodecard(nodecard, "verify", profile, *(guest.image for guest in guests), "--base",
                                        base, cache=os.path.join(work, "cache"), log=log)
        if code:
            raise Failed(f"exit code {code}:\n{said}")
        return f"{len(guests)} cards match the profile"

    def clean(guest):
        if complaint := cards.e2fsck(guest.image, like.root_number(guest.image)):
            raise Failed(complaint[-600:])
        return "clean"
    report.once("nodecard verify", verify)
    report.each("e2fsck -fn", guests, clean)
