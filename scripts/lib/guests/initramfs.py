"""Makes an initramfs: a cpio archive ("newc", see the kernel's buffer-format.rst) of programs with their
libraries, kernel modules, and files."""

import os
import re
import shutil
import stat
import subprocess

from .machine import Unusable


def libraries(program):
    """Returns the shared libraries that a program needs, and its loader, as ldd(1) prints them."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    if "not found" in said:
        raise Unusable(f"{program} needs a library that this machine lacks:\n{said}")
    return sorted(set(re.findall(r"(/\S+) \(0x", said)))


class Modules:
    """The kernel modules below one directory, in the order in which they must be loaded."""

    def __init__(self, top):
        self.paths = {}
        for directory, _, names in os.walk(top):
            for name in names:
                if name.endswith(".ko"):
                    self.paths[name[:-3].replace("-", "_")] = os.path.join(directory, name)

    def ordered(self, wanted):
        """Returns the names of the modules and of all that they depend on, dependencies first. A name
        that is not there is compiled into the kernel."""
        order = []

        def add(name):
            if name in order or name not in self.paths:
                return
            with open(self.paths[name], "rb") as file:
                found = re.search(rb"\0depends=([^\0]*)\0", file.read())
            for needed in filter(None, found[1].decode().split(",")) if found else ():
                add(needed.replace("-", "_"))
            order.append(name)

        for name in wanted:
            add(name.replace("-", "_"))
        return order


class Initramfs:
    """Collects files; `write` makes the archive. All of them belong to root, and times are 0."""

    def __init__(self):
        self.entries = {}

    def add_bytes(self, path, contents, mode=0o644):
        self._parents(path)
        self.entries[path] = (stat.S_IFREG | mode, contents)

    def add_file(self, path, source, mode=None):
        with open(source, "rb") as file:
            self.add_bytes(path, file.read(), mode or (0o755 if os.access(source, os.X_OK) else 0o644))

    def add_program(self, name, path=None):
        """Adds a program, from this machine's PATH if no path is given, and its libraries."""
        source = path or shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if not source:
            raise Unusable(f"missing: {name}")
        self.add_file(f"bin/{name}", source, 0o755)
        for library in libraries(source):
            self.add_file(library.lstrip("/"), library, 0o755)

    def add_symlink(self, path, target):
        self._parents(path)
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def add_dir(self, path, mode=0o755):
        self._parents(path)
        self.entries.setdefault(path, (stat.S_IFDIR | mode, b""))

    def _parents(self, path):
        parent = os.path.dirname(path)
        if parent:
            self.add_dir(parent)

    def write(self, out):
        with open(out, "wb") as file:
            for inode, (path, (mode, contents)) in enumerate(sorted(self.entries.items()), 1):
                self._entry(file, inode, path, mode, contents)
            self._entry(file, 0, "TRAILER!!!", 0, b"")

    @staticmethod
    def _entry(file, inode, path, mode, contents):
        name = path.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        file.write(head + b"\0" * (-len(head) % 4) + contents + b"\0" * (-len(contents) % 4))
