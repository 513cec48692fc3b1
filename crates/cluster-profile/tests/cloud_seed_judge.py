"""Reads the seed and the configuration below each directory named on standard input as cloud-init
does, by its own code, and prints as a line of JSON what it would make of them."""
import json, logging, os, sys, types

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
sys.modules.setdefault("netifaces", types.ModuleType("netifaces"))
from cloudinit import helpers, net, util
from cloudinit.distros import fetch, ug_util
from cloudinit.handlers import cloud_config
from cloudinit.sources import DataSourceNoCloud as nocloud

nocloud.util.get_cmdline = lambda: ""
nocloud.dmi.read_dmi_data = lambda name: None

for line in sys.stdin:
    root = line.rstrip("\n")
    system = util.read_conf_with_confd(root + "/etc/cloud/cloud.cfg")
    paths = helpers.Paths({"cloud_dir": root + "/var/lib/cloud", "run_dir": root + "/run"})
    source = nocloud.DataSourceNoCloud(dict(system, datasource={"NoCloud": {"fs_label": None}}), None, paths)
    found = source.get_data()
    handler = cloud_config.CloudConfigPartHandler(helpers.Paths({}))
    handler.cloud_buf = {}
    handler._merge_part(util.decode_binary(source.get_userdata_raw() or ""), {})
    user = util.load_yaml(util.json_dumps(handler.cloud_buf)) or {}
    merged = util.mergemanydict([user, system])
    distro = fetch("debian")("debian", merged, paths)
    users, _ = ug_util.normalize_users_groups(merged, distro)
    hostname = source.get_hostname()
    print(json.dumps({
        "found": found,
        "instance": source.get_instance_id(),
        "hostname": getattr(hostname, "hostname", hostname),
        "network_off": [
            net.is_disabled_cfg(system.get("network")) if hasattr(net, "is_disabled_cfg")
            else (system.get("network") or {}).get("config") == "disabled",
            (source.network_config or {}).get("config") == "disabled",
        ],
        "users": sorted(users),
        "config": merged,
    }, sort_keys=True))
