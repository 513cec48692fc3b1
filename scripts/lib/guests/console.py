"""A guest's serial console: logs in, runs commands and powers off, all within a deadline."""

import os
import re
import select
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")


class NoAnswer(Exception):
    """The guest did not print what was expected, or not in time."""


class Console:
    """QEMU's serial console: sends lines and waits for patterns, never longer than the deadline."""

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
        """Returns the match of `pattern`, and drops the text up to its end."""
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
        """Runs a shell command in the guest; returns its output and exit code."""
        self.number += 1
        # The echo of this line contains %s instead of the numbers, so only real output matches.
        self.send(f"printf '\\n<%s:begin>\\n' {self.number}; {command}; "
                  f"printf '\\n<%s:end:%s>\\n' {self.number} $?")
        match = self.wait_for(rf"<{self.number}:begin>(.*?)<{self.number}:end:(\d+)>",
                              f"the end of: {command}", seconds)
        return ESCAPES.sub("", match[1]).strip(), int(match[2])

    def log_in(self, user, password):
        """Logs in at the prompt and makes the shell quiet."""
        self.wait_for(r"\S login: ", "the login prompt")
        # login(1) gives up after a minute, which a busy emulation can take. Then try again.
        for last in (False, False, True):
            self.send(user)
            self.wait_for(r"[Pp]assword: ", "the password prompt", 180)
            self.send(password)
            # The line about the last login and the message of the day come first.
            # On a card that was in use, login also says when the last login was.
            answer = self.wait_for(rf"{user}@\S+[#$] |incorrect|timed out|\S(?<!Last) login: ",
                                   f"{user}'s shell prompt", 240)
            if answer[0].startswith(f"{user}@"):
                break
            if last or answer[0] == "incorrect":
                raise NoAnswer(f"{user} cannot log in with that password")
        # A dumb terminal; and keep the kernel and systemd (SIGRTMIN+21) from writing to the console.
        self.send("export TERM=dumb PAGER=cat; stty -echo columns 200; dmesg -n 1 2>/dev/null; "
                  "kill -55 1 2>/dev/null")

    def power_off(self, seconds=90):
        """Powers the guest off, and kills QEMU if it does not. Returns whether the guest
        powered itself off."""
        went = self.process.poll() is not None
        try:
            if not went:
                self.send("poweroff")
                until = time.time() + seconds
                while self.process.poll() is None and time.time() < until:
                    if not self.read_some(0.5):
                        self.process.wait(10)
                went = self.process.poll() is not None
        except Exception:  # the guest has to end, whatever was wrong with it
            pass
        finally:
            self.kill()
        return went

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
