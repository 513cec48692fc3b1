"""The guests of one cluster, on their switch."""

import os
import time

from . import machine
from .console import Console, NoAnswer
from .switch import Switch


class Guest:
    """One node: its QEMU process, its console, and its expected identity."""

    def __init__(self, number, name, address, image):
        self.number, self.name, self.address, self.image = number, name, address, image
        self.process = self.console = None
        self.boot_seconds = None

    def run(self, command, seconds=None):
        """Returns the output of a command that must succeed."""
        output, code = self.console.run(command, seconds)
        if code:
            raise NoAnswer(f"`{command[:120]}` ended with {code}: {output[-400:]}")
        return output

    def ask(self, command, seconds=None):
        """Returns the output of a command, whatever its exit code."""
        return self.console.run(command, seconds)[0]


class Cluster:
    def __init__(self, guests, deadline, patience, logs):
        self.guests, self.deadline, self.patience, self.logs = guests, deadline, patience, logs
        self.switch = Switch()

    def start(self, arch, accel, kernel, initrd, root, memory, cpus):
        for guest in self.guests:
            theirs = self.switch.plug_in()
            command = machine.command(
                arch, accel, kernel=kernel, initrd=initrd, image=guest.image, root=root,
                network=f"socket,id=n0,fd={theirs.fileno()}",
                mac=f"52:54:00:00:00:{guest.number:02x}", memory=memory, cpus=cpus)
            log = open(self.log_path(guest), "wb")
            guest.process = machine.start(command, pass_fds=(theirs.fileno(),))
            guest.console = Console(guest.process, self.deadline, log)
            theirs.close()
        self.switch.start()

    def log_path(self, guest):
        return os.path.join(self.logs, f"{guest.name}.console.log")

    def others(self, guest):
        return [other for other in self.guests if other is not guest]

    def stop(self):
        """Kills the guests that still run, and stops the switch."""
        for guest in self.guests:
            if guest.console:
                guest.console.kill()
                guest.console.log.close()
        self.switch.stop()

    def poll(self, what, attempt, seconds=None, pause=3):
        """Calls `attempt` until its result is true; returns the result and the seconds taken.
        `attempt` returns (result, what was seen so far)."""
        started = time.time()
        until = min(self.deadline, started + (seconds or self.patience))
        while True:
            result, so_far = attempt()
            if result:
                return result, time.time() - started
            if time.time() + pause > until:
                raise NoAnswer(f"{what}: not within {time.time() - started:.0f} s; seen last: {so_far}")
            time.sleep(pause)
