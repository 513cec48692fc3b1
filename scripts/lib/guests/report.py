"""The checks and their results, as a table and as JSON."""

import concurrent.futures
import json
import textwrap
import time

from .console import NoAnswer


class Failed(Exception):
    """A check failed; the message says what was seen instead."""


class Report:
    def __init__(self, program="boot-cluster"):
        self.program = program
        self.facts, self.rows = {}, []
        self.started = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.started

    def ok(self):
        return bool(self.rows) and all(row["ok"] for row in self.rows)

    def failed(self, name):
        return any(row["check"] == name and not row["ok"] for row in self.rows)

    def add(self, name, ok, seen, seconds, nodes=None):
        row = {"check": name, "ok": ok, "seconds": round(seconds, 1), "seen": seen}
        self.rows.append(row if nodes is None else row | {"nodes": nodes})
        mark = "ok    " if ok else "FAILED"
        print(f"{self.program}: [{self.elapsed():4.0f} s] {mark} {name}: {seen}", flush=True)

    def once(self, name, check, *arguments):
        """Runs a check of the whole cluster. Returns what it saw, or None if it failed."""
        started = time.monotonic()
        try:
            seen, ok = check(*arguments), True
        except (Failed, NoAnswer) as error:
            seen, ok = str(error), False
        self.add(name, ok, seen, time.monotonic() - started)
        return seen if ok else None

    def each(self, name, guests, check, *arguments):
        """Runs a check on all guests at once. Returns {node: what it saw} of those that passed."""
        def judge(guest):
            try:
                return True, check(guest, *arguments)
            except (Failed, NoAnswer) as error:
                return False, str(error)

        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(guests)) as pool:
            results = dict(zip((guest.name for guest in guests), pool.map(judge, guests)))
        bad = [f"{node}: {seen}" for node, (ok, seen) in results.items() if not ok]
        seen = {node: seen for node, (ok, seen) in results.items() if ok}
        short = "; ".join(bad) or self.summary(seen)
        nodes = {node: {"ok": ok, "seen": seen} for node, (ok, seen) in results.items()}
        self.add(name, not bad, short, time.monotonic() - started, nodes)
        return seen

    @staticmethod
    def summary(seen):
        """Returns what all nodes have in common, or each node's own result."""
        if len(set(seen.values())) == 1:
            return f"{next(iter(seen.values()))} (each of {len(seen)})"
        return ", ".join(seen.values())

    def table(self, width=110):
        names = max(len(row["check"]) for row in self.rows)
        lines = [f"{name + ':':<14} {value}" for name, value in self.facts.items()] + [""]
        lines.append(f"{'check':<{names}}  result  seconds  seen")
        lines.append(f"{'-' * names}  ------  -------  ----")
        indent = " " * (names + 19)
        for row in self.rows:
            head = f"{row['check']:<{names}}  {'ok' if row['ok'] else 'FAILED':<6}  {row['seconds']:7.1f}  "
            body = [part for line in row["seen"].splitlines() or [""]
                    for part in textwrap.wrap(line, width - len(indent)) or [""]]
            lines += [(head + body[0]).rstrip()] + [indent + part for part in body[1:]]
        bad = sum(not row["ok"] for row in self.rows)
        lines += ["", f"{len(self.rows) - bad} checks passed, {bad} failed, in {self.elapsed():.0f} s"]
        return "\n".join(lines)

    def json(self):
        return json.dumps({**self.facts, "ok": self.ok(), "seconds": round(self.elapsed(), 1),
                           "checks": self.rows}, indent=2)
