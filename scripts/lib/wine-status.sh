#!/bin/bash
# wine-status.sh NODECARD.EXE PROFILE KEYS WORK: asks two nodes over ssh with `nodecard.exe status`
# under wine. One is as the profile says, and one has the host key of another node. Run in network,
# mount and UTS namespaces of its own, as root, after `build` has made the keys.
#
# ssh is this system's: `ssh.exe` beside the program is a script that wine runs, with the paths of
# Windows in the arguments changed to those of Linux. wine does not wait for it to end.
set -euo pipefail

program=$1 profile=$2 keys=$3 work=$4
cat >"${program%/*}/ssh.exe" <<'EOF'
#!/bin/bash
changed=()
for argument; do
    case $argument in
    *[CZ]:\\*)
        argument=${argument//\\\\/\\}
        argument=${argument//\\//}
        argument=${argument//C:/$WINEPREFIX/drive_c}
        argument=${argument//Z:/}
        ;;
    esac
    changed+=("$argument")
done
exec /usr/bin/ssh "${changed[@]}"
EOF
chmod +x "${program%/*}/ssh.exe"

ip link set lo up
hostname xu4-master
mount -t tmpfs none /run
mkdir /run/sshd
cp "$keys/cluster/id_ed25519.pub" "$work/authorized"
serve() { # serve ADDRESS NODE: an sshd that has this node's host key
    ip address add "$1/32" dev lo
    /usr/sbin/sshd -D -e -f /dev/null -p 22 -o "ListenAddress=$1" -o "AuthorizedKeysFile=$work/authorized" \
        -o "HostKey=$keys/hosts/$2/ssh_host_ed25519_key" -o StrictModes=no -o UsePAM=no -o PidFile=none \
        -o PermitRootLogin=prohibit-password 2>"$work/sshd-$2" &
}
serve 192.168.1.80 xu4-master
serve 192.168.1.81 xu4-node2
# shellcheck disable=SC2154
trap 'kill $(jobs -p) 2>/dev/null' EXIT
for _ in {1..50}; do
    if grep -qs listening "$work/sshd-xu4-master" && grep -qs listening "$work/sshd-xu4-node2"; then break; fi
    sleep 0.1
done

status=0
wine64 "$program" status "$profile" --node xu4-master --node xu4-node1 --json >"$work/status" || status=$?
((status == 1)) || { echo "exit code $status, not 1" && cat "$work/status" "$work"/sshd-* && exit 1; }
python3 - "$work/status" <<'EOF'
import json, sys
master, other = json.load(open(sys.argv[1]))["nodes"]
root = [login["ok"] for login in master["logins"] if login["user"] == "root"]
seen = (master["host_key"], root, master["hostname"], other["host_key"])
if seen != ("expected", [True], "xu4-master", "wrong"):
    sys.exit(f"{seen}\n{json.dumps([master, other], indent=1)}")
EOF
