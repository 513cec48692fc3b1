"""Lets cloud-init's own data source, merging and modules run on each system named on standard
input (a directory, then a kernel command line), with all that would change this machine replaced
by a note of it, and prints the notes as one line of JSON."""
import contextlib, glob, json, logging, os, sys, traceback

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
from cloudinit import cloud, dmi, distros, helpers, sources, stages, subp, templater, util
from cloudinit import ssh_util
from cloudinit.config import cc_growpart, cc_resizefs, cc_set_passwords, cc_ssh, modules
from cloudinit.net import cmdline as net_cmdline
from cloudinit.distros import debian
from cloudinit.sources import DataSourceNoCloud, DataSourceNone

MODULES = """ssh users_groups set_passwords set_hostname update_hostname update_etc_hosts growpart
resizefs""".split()
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
    if path.startswith(root):
        return real_write(path, *args, **options)
    if path.startswith("/etc/ssh/"):
        notes.add("HostKeys")


def run(command, *args, **options):
    if command[0] == "ssh-keygen" and command[2] in ("rsa", "dsa", "ecdsa", "ed25519"):
        notes.add("HostKeys")
    return ("", "")


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
subp.which = lambda name: "/bin/" + name
dmi.read_dmi_data = lambda name: None
ssh_util.setup_user_keys = lambda keys, *a, **o: notes.add("UserKeys") if keys else None
ssh_util.update_ssh_config = lambda settings, *a: notes.add("SshServer")
cc_set_passwords.update_ssh_config = ssh_util.update_ssh_config
cc_set_passwords.rand_user_password = lambda *a: ""
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


def judge():
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
    if DataSourceNoCloud.DataSourceNoCloud not in listed or not found.get_data():
        found = DataSourceNone.DataSourceNone(base, distro, paths)
        found.get_data()
    init.datasource = paths.datasource = found
    for path in ("/var/lib/cloud/instances", "/run/cloud-init", "/var/lib/cloud/data"):
        os.makedirs(root + path, exist_ok=True)
    init.instancify()
    init.datasource.persist_instance_data(write_cache=False)
    init.update()
    init.consume_data()
    if init._find_networking_config()[0]:
        notes.add("Address")
    all_modules = modules.Modules(init)

    def run_modules(chosen):
        for module, name, _frequency, args in chosen:
            if module.__name__.split(".cc_")[1] in MODULES:
                try:
                    module.handle(name, all_modules.cfg, init.cloudify(), logging, args)
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
