"""A tiny httpd image for a swarm's service, in the form that `docker save` writes.

It contains a static busybox and the article's cgi-bin/lbtest. Each container serves that page with
its own host name, so that a client sees which one answered.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile

from .machine import Unusable

NAME = "nodecard-lbtest"
LBTEST = "#!/bin/sh\necho Content-type: text/plain\necho\nhostname\n"
APPLETS = ("sh", "hostname", "httpd")
PLATFORM = {
    "armhf": {"architecture": "arm", "variant": "v7", "os": "linux"},
    "amd64": {"architecture": "amd64", "os": "linux"},
}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def busybox(arch, mirror):
    """Returns the program of Debian's busybox-static. The apt-get that downloads it has directories
    of its own, so the system's sources and architectures are neither used nor changed."""
    with tempfile.TemporaryDirectory() as work:
        for directory in ("state/lists/partial", "cache/archives/partial", "etc"):
            os.makedirs(os.path.join(work, directory))
        with open(os.path.join(work, "etc/sources.list"), "w") as file:
            file.write(f"deb [arch={arch} signed-by={KEYRING}] {mirror} bookworm main\n")
        settings = {
            "Dir::Etc": f"{work}/etc", "Dir::State": f"{work}/state", "Dir::Cache": f"{work}/cache",
            "Dir::State::status": "/dev/null", "APT::Architecture": arch,
            "APT::Architectures": arch, "APT::Sandbox::User": "", "Acquire::Languages": "none",
        }
        apt = ["apt-get", "-qq"] + [f"-o{key}={value}" for key, value in settings.items()]
        for arguments in (["update"], ["download", "busybox-static"]):
            done = subprocess.run(apt + arguments, cwd=work, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise Unusable(f"apt-get {' '.join(arguments)} for {arch} failed: "
                               f"{done.stdout.strip()[-300:]}")
        package = next(name for name in os.listdir(work) if name.endswith(".deb"))
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], cwd=work, check=True,
                              stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith("bin/busybox"):
                return tar.extractfile(member).read()
    raise Unusable(f"{package} does not contain busybox")


def add(tar, name, content=None, mode=0o644, link=None):
    member = tarfile.TarInfo(name)
    member.mode = mode
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, link
    elif content is None:
        member.type = tarfile.DIRTYPE
    else:
        member.size = len(content)
    tar.addfile(member, io.BytesIO(content) if content is not None else None)


def layer(binary):
    """Returns the image's only layer, with the same bytes each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for directory in ("bin", "www", "www/cgi-bin"):
            add(tar, directory, mode=0o755)
        add(tar, "bin/busybox", binary, 0o755)
        for applet in APPLETS:
            add(tar, f"bin/{applet}", link="busybox")
        add(tar, "www/index.html", b"nodecard-lbtest\n")
        add(tar, "www/cgi-bin/lbtest", LBTEST.encode(), 0o755)
    return packed.getvalue()


def write(path, arch, binary):
    """Writes the archive for `docker load`."""
    content = layer(binary)
    config = json.dumps({
        **PLATFORM[arch],
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/bin"],
            "Cmd": ["/bin/httpd", "-f", "-p", "80", "-h", "/www"],
            "ExposedPorts": {"80/tcp": {}},
            # As process 1, httpd has no handler for SIGTERM, so stopping it would take 10 s.
            "StopSignal": "SIGKILL",
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "boot-cluster"}],
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [f"{NAME}:latest"], "Layers": ["layer/layer.tar"]}]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        add(tar, config_name, config)
        add(tar, "layer", mode=0o755)
        add(tar, "layer/layer.tar", content)
        add(tar, "manifest.json", json.dumps(manifest).encode())
