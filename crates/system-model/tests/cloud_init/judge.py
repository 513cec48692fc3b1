"""Merges the configuration of each directory named on standard input as cloud-init does, by
cloud-init's own code, and prints it as one line of JSON."""
import json, logging, os, sys

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
import types

sys.modules.setdefault("netifaces", types.ModuleType("netifaces"))
from cloudinit import util
from cloudinit.handlers import cloud_config


class Paths:
    def get_ipath(self, name):
        return None


def part(path):
    if not os.path.exists(path):
        return {}
    handler = cloud_config.CloudConfigPartHandler(Paths())
    handler.cloud_buf = {}
    try:
        handler._merge_part(open(path).read(), {})
    except Exception:
        return {}
    return util.load_yaml(__import__("cloudinit.safeyaml").safeyaml.dumps(handler.cloud_buf)) or {}


for line in sys.stdin:
    root = line.rstrip("\n")
    try:
        system = util.read_conf_with_confd(root + "/etc/cloud/cloud.cfg")
        user, vendor = part(root + "/user-data"), part(root + "/vendor-data")
        merged = util.mergemanydict([user, vendor, system])
        print(json.dumps([system, merged], sort_keys=True))
    except Exception:
        # cloud-init itself gives up here.
        print("null")
