"""Lets cloud-init's own data source, merging and modules run on each system named on standard
input (a directory, then a kernel command line), with all that would change this machine replaced
by a note of it, and prints the notes as one line of JSON."""
import contextlib, glob, json, logging, os, sys, traceback

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
from cloudinit import cloud, dmi, distros, helpers, sources, stages, subp, temp_utils, templater
from cloudinit import user_data, util
from cloudinit import settings, ssh_util
from cloudinit.cmd.main import _maybe_set_hostname
from cloudinit.config import cc_growpart, cc_mounts, cc_resizefs, cc_set_passwords, cc_ssh, modules
from cloudinit.net import cmdline as net_cmdline
from cloudinit.distros import debian
from cloudinit.sources import DataSourceNoCloud, DataSourceNone

MODULES = """ssh users_groups set_passwords set_hostname update_hostname update_etc_hosts growpart
resizefs bootcmd runcmd write_files write_files_deferred scripts_user scripts_vendor scripts_per_once
scripts_per_boot scripts_per_instance seed_random snap mounts""".split()
# What a script that runs is taken to change, by what it mentions.
FILES = {"/etc/hostname": "HostName", "/etc/machine-id": "MachineId", "/etc/hosts": "Hosts",
         "/etc/shadow": "Passwords", "/etc/passwd": "Users"}
# What a file that is written changes, besides.
WRITTEN = {"/etc/fstab": "Mounts", "/etc/nologin": "SshServer", "/etc/ssh/sshd_config": "SshServer",
           "/etc/resolv.conf": "Address", "/etc/NetworkManager/conf.d/dns.conf": "Address",
           "/etc/ssh/ssh_known_hosts": "KnownHosts", "/root/.ssh/known_hosts": "KnownHosts",
           "/home/pi/.ssh/config": "UserKeys", "/etc/systemd/system/data.mount": "Mounts"}
root, line, notes, given = "", "", set(), set()
# Files of the system are those below the root.
real = {name: getattr(os.path, name) for name in ("exists", "isfile")}


def below(path):
    return root + path if isinstance(path, str) and path.startswith("/etc/") else path


for name, function in real.items():
    setattr(os.path, name, lambda path, function=function: function(below(path)))
real_glob, real_write, real_ensure = glob.glob, util.write_file, util.ensure_dir
cc_ssh.glob.glob = lambda path: real_glob(below(path))


def write_file(path, *args, **options):
    if path in WRITTEN or path == root + "/etc/fstab":
        notes.add(WRITTEN[path.replace(root, "")])
        return None
    if path.startswith(root):
        return real_write(path, *args, **options)
    if path.startswith("/etc/ssh/"):
        notes.add("HostKeys")
    if path in FILES:
        notes.add(FILES[path])
    if path.startswith("/var/lib/cloud/"):
        real_write(root + path, *args, **options)
    if path.startswith(("/etc/cron", "/etc/systemd/system/")):
        look_at(args[0] if isinstance(args[0], str) else args[0].decode(errors="ignore"))


def look_at(text):
    notes.update(effect for path, effect in FILES.items() if path in text)


def run(command, *args, **options):
    if isinstance(command, str):
        command = [command]
    if command[0] == "ssh-keygen" and command[2] in ("rsa", "dsa", "ecdsa", "ed25519"):
        notes.add("HostKeys")
    for word in command:
        if isinstance(word, bytes):
            word = word.decode()
        look_at(word)
        if word.startswith(("/tmp/", root)) and real["isfile"](word):
            look_at(open(word, errors="ignore").read())
    return ("", "")


def run_parts(directory, *args, **options):
    for path in sorted(real_glob(directory + "/*")):
        if real["isfile"](path) and os.access(path, os.X_OK):
            look_at(open(path, errors="ignore").read())


class Answer:
    """What a file that is included answers."""

    def __init__(self, contents):
        self.contents = contents

    def ok(self):
        return True


def read_url(url, **options):
    with open(root + url.replace("file://", ""), "rb") as file:
        return Answer(file.read())


util.write_file = write_file
util.ensure_dir = lambda path, *a, **o: real_ensure(path, *a, **o) if path.startswith(root) else None
util.del_file = lambda path: notes.add("HostKeys") if "ssh_host" in path else None
util.get_group_id = lambda name: -1
util.SeLinuxGuard = lambda *a, **o: contextlib.nullcontext()
util.get_cmdline = lambda: line
util.find_devs_with = lambda *a, **o: ["/dev/card"]
util.mount_cb = lambda device, callback, data: callback(root + "/boot/firmware", data)
util.get_mount_info = lambda *a: ("/dev/card", "ext4", "/")
util.fork_cb = lambda function, *args, **options: notes.add("Sizes")
util.multi_log = lambda *a, **o: None
util.is_user = lambda name: any(row.startswith(name + ":") for row in open(root + "/etc/passwd"))
real_seeded = util.read_seeded
util.read_seeded = lambda base, **o: real_seeded(root + base.replace("file://", ""), **o)
subp.subp = run
subp.runparts = run_parts
user_data.read_file_or_url = read_url
temp_utils._TMPDIR = None
temp_utils._tempfile_dir_arg = lambda *a, **o: root
util.chownbyname = lambda *a: None
subp.which = lambda name: "/bin/" + name
dmi.read_dmi_data = lambda name: None
ssh_util.setup_user_keys = lambda keys, *a, **o: notes.add("UserKeys") if keys else None
ssh_util.update_ssh_config = lambda settings, *a: notes.add("SshServer")
cc_set_passwords.update_ssh_config = ssh_util.update_ssh_config
cc_set_passwords.rand_user_password = lambda *a: ""
cc_mounts.setup_swapfile = lambda fname, **o: fname
cc_growpart.ResizeGrowPart.available = lambda self: True
cc_growpart.resize_devices = lambda *a: notes.add("Sizes") or []
cc_resizefs.maybe_get_writable_device_path = lambda path, *a: path
cc_resizefs.do_resize = lambda *a: notes.add("Sizes")
templater.render_to_file = lambda *a: notes.add("Hosts")
cloud.Cloud.get_template_filename = lambda self, name: name
util.get_hostname = lambda: open(root + "/etc/hostname").read().strip()
stages.read_runtime_config = lambda: {}
net_cmdline.read_initramfs_config = lambda: None


class Distro(debian.Distro):
    @property
    def hostname_conf_fn(self):
        return root + "/etc/hostname"

    @hostname_conf_fn.setter
    def hostname_conf_fn(self, value):
        pass

    def _write_hostname(self, name, path):
        if path == self.hostname_conf_fn and name != util.get_hostname():
            notes.add("HostName")

    def _apply_hostname(self, name):
        pass

    def update_etc_hosts(self, *args):
        notes.add("Hosts")

    def manage_service(self, *args):
        pass

    def uses_systemd(self=None):
        return True

    def add_user(self, name, **options):
        if util.is_user(name):
            return
        notes.update(["Users", "new " + name])
        if options.get("passwd"):
            self.set_passwd(name)

    def set_passwd(self, name, *args, **options):
        notes.add("Passwords")
        given.add(name)

    def lock_passwd(self, name):
        given.discard(name)
        if any(row.startswith(name + ":") and not row.startswith(name + ":!")
               for row in open(root + "/etc/shadow")):
            notes.add("Passwords")

    def chpasswd(self, pairs, hashed):
        notes.add("Passwords")
        given.update(name for name, word in pairs if word)

    def expire_passwd(self, name):
        pass

    def write_sudo_rules(self, *args, **options):
        pass

    def create_group(self, *args):
        notes.add("Users")

    def generate_fallback_config(self):
        return {"version": 1, "config": []}

    def apply_network_config(self, netconfig, bring_up=False):
        notes.add("Address")


def judge():
    cc_mounts.FSTAB_PATH = root + "/etc/fstab"
    stages.CLOUD_CONFIG = root + "/etc/cloud/cloud.cfg"
    base = stages.fetch_base_config()
    paths = helpers.Paths({"cloud_dir": root + "/var/lib/cloud", "run_dir": root + "/run"})
    init = stages.Init()
    # It would read this machine's configuration again.
    init._reset = lambda *a, **o: None
    init._cfg, init._paths = base, paths
    distro = Distro("debian", base.get("system_info") or {}, paths)
    init._distro = distro
    listed = sources.list_sources(
        base["datasource_list"], (sources.DEP_FILESYSTEM,), [sources.__name__])
    found = DataSourceNoCloud.DataSourceNoCloud(base, distro, paths)
    try:
        is_found = DataSourceNoCloud.DataSourceNoCloud in listed and found.get_data()
    except Exception:
        # As find_source goes on with the next one.
        is_found = False
    if not is_found:
        found = DataSourceNone.DataSourceNone(base, distro, paths)
        found.get_data()
    init.datasource = paths.datasource = found
    for path in ("/var/lib/cloud/instances", "/run/cloud-init", "/var/lib/cloud/data"):
        os.makedirs(root + path, exist_ok=True)
    distro.networking.wait_for_physdevs = lambda *a, **o: None
    distro.networking.apply_network_config_names = lambda *a, **o: None
    init.instancify()
    init._cfg, init._paths, init._distro = base, paths, distro
    init.datasource.persist_instance_data(write_cache=False)
    _maybe_set_hostname(init, "local", "network")
    init.apply_network_config(bring_up=False)
    init.update()
    cloudy = init.cloudify()
    cloudy.run("consume_data", init.consume_data, args=[settings.PER_INSTANCE],
               freq=settings.PER_INSTANCE)
    init.consume_data(settings.PER_ALWAYS)
    all_modules = modules.Modules(init)
    # As at the second boot, where cloud-init knows user-data from the first.
    init._cfg = all_modules.cfg
    _maybe_set_hostname(init, "local", "network")
    init._cfg = base

    def run_modules(chosen):
        for module, name, frequency, args in chosen:
            if module.__name__.split(".cc_")[1] in MODULES:
                try:
                    init.cloudify().run(
                        f"config-{name}", module.handle,
                        [name, all_modules.cfg, init.cloudify(), logging, args], freq=frequency)
                except Exception:
                    if os.environ.get("TRACE"):
                        traceback.print_exc()

    all_modules._run_modules = run_modules
    for section in ("init", "config", "final"):
        all_modules.run_section(f"cloud_{section}_modules")


for words in sys.stdin:
    root, _, line = words.rstrip("\n").partition("\t")
    notes, given = set(), set()
    try:
        judge()
    except Exception:
        traceback.print_exc(limit=-1)
        notes.add("cloud-init gives up")
    print(json.dumps(sorted(notes) + ["password " + name for name in sorted(given)]))
