"""Reads each text on standard input (a line of hexadecimal digits) as cloud-init reads YAML, and
prints its value, and what cloud-init's functions for booleans say of it, as one line of JSON."""
import base64, datetime, json, logging, struct, sys

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
from cloudinit import safeyaml, util


def typed(value, depth=0):
    if depth > 100:
        raise ValueError
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        bits = struct.pack(">d", value).hex() if value == value else "nan"
        return ["float", bits, str(value)]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return ["date"]
    if isinstance(value, bytes):
        return ["bytes", base64.b64encode(value).decode()]
    if isinstance(value, list) and not any(isinstance(item, tuple) for item in value):
        return ["list", [typed(item, depth + 1) for item in value]]
    if isinstance(value, dict):
        return ["map", [[typed(k, depth + 1), typed(v, depth + 1)] for k, v in value.items()]]
    return ["other"]


for line in sys.stdin:
    text = bytes.fromhex(line.strip()).decode()
    try:
        value = safeyaml.load(text)
        words = [util.is_true(value), util.is_false(value), util.translate_bool(value), bool(value)]
        print(json.dumps([typed(value), words]))
    except Exception:
        print("null")
