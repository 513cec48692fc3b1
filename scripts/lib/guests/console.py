"""A guest's serial console: log in, run commands, power off, all within a deadline."""

import os
import re
import select
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")


class NoAnswer(Exception):
    """The guest said nothing that was waited for."""


class Console:
    """QEMU's serial console: send lines, wait for patterns, never longer than the deadline."""

    def __init__(self, process, deadline, log=None):
        self.process, self.deadline, self.log = process, deadline, log
        self.text = ""
        self.number = 0

    def send(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise NoAnswer("QEMU ended") from None

    def read_some(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            return True
        chunk = os.read(self.process.stdout.fileno(), 65536)
        if self.log:
            self.log.write(chunk)
            self.log.flush()
        self.text += chunk.decode(errors="replace")
        return bool(chunk)

    def wait_for(self, pattern, what, seconds=None):
        """Returns the match of `pattern`; drops the text up to its end."""
        until = self.deadline if seconds is None else min(self.deadline, time.time() + seconds)
        while True:
            if match := re.search(pattern, self.text, re.S):
                self.text = self.text[match.end():]
                return match
            left = until - time.time()
            if left <= 0 or not self.read_some(min(left, 1.0)):
                tail = "\n".join(ESCAPES.sub("", self.text).splitlines()[-15:])
                why = "time is up" if left <= 0 else "QEMU ended"
                raise NoAnswer(f"{why} waiting for {what}; the last lines were:\n{tail}")

    def run(self, command, seconds=None):
        """Runs one shell command in the guest; returns its output and exit code."""
        self.number += 1
        # The echo of this line holds %s, not the numbers, so only real output matches.
        self.send(f"printf '\\n<%s:begin>\\n' {self.number}; {command}; "
                  f"printf '\\n<%s:end:%s>\\n' {self.number} $?")
        match = self.wait_for(rf"<{self.number}:begin>(.*?)<{self.number}:end:(\d+)>",
                              f"the end of: {command}", seconds)
        return ESCAPES.sub("", match[1]).strip(), int(match[2])

    def log_in(self, user, password):
        """From the login prompt to a quiet shell."""
        self.wait_for(r"\S login: ", "the login prompt")
        # login(1) gives up after a minute, which a busy emulation may take: try again then.
        for last in (False, False, True):
            self.send(user)
            self.wait_for(r"[Pp]assword: ", "the password prompt", 180)
            self.send(password)
            # The last login's line and the message of the day come first.
            answer = self.wait_for(rf"{user}@\S+[#$] |incorrect|timed out|\S login: ",
                                   f"{user}'s shell prompt", 240)
            if answer[0].startswith(f"{user}@"):
                break
            if last or answer[0] == "incorrect":
                raise NoAnswer(f"{user} cannot log in with that password")
        # A dumb terminal, and neither the kernel nor systemd (SIGRTMIN+21) writes among answers.
        self.send("export TERM=dumb PAGER=cat; stty -echo columns 200; dmesg -n 1 2>/dev/null; "
                  "kill -55 1 2>/dev/null")

    def power_off(self, seconds=90):
        """Asks the guest to power off; whatever it does, QEMU is gone afterwards. True if the
        guest went by itself."""
        went = self.process.poll() is not None
        try:
            if not went:
                self.send("poweroff")
                until = time.time() + seconds
                while self.process.poll() is None and time.time() < until:
                    if not self.read_some(0.5):
                        self.process.wait(10)
                went = self.process.poll() is not None
        except Exception:  # the guest is to go, whatever was wrong with it
            pass
        finally:
            self.kill()
        return went

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
