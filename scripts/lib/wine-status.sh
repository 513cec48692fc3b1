#!/bin/bash
# wine-status.sh NODECARD.EXE PROFILE KEYS WORK: asks two nodes over ssh with `nodecard.exe status`
# under wine. One is as the profile says, and one has the host key of another node. Run in network,
# mount and UTS namespaces of its own, as root, after `build` has made the keys.
#
# ssh is this system's: wine runs the script ssh.sh, which changes the paths of Windows in the
# arguments to those of Linux. Such a process gets no pipes of wine and cannot be waited for, so
# ssh.exe exchanges its input and output with it in files.
set -euo pipefail

program=$1 profile=$2 keys=$3 work=$4
beside=${program%/*}
cat >"$beside/ssh.sh" <<'EOF'
#!/bin/bash
linux() {
    local path=${1//\\\\/\\}
    path=${path//\\//}
    path=${path//C:/$WINEPREFIX/drive_c}
    printf %s "${path//Z:/}"
}
changed=()
for argument; do
    if [[ $argument == *[CZ]:\\* ]]; then argument=$(linux "$argument"); fi
    changed+=("$argument")
done
files=$(linux "$SSH_FILES")
/usr/bin/ssh "${changed[@]}" <"$files" >"$files.out" 2>"$files.err"
touch "$files.end"
EOF
chmod +x "$beside/ssh.sh"
cat >"$work/ssh.c" <<'EOF'
#include <stdio.h>
#include <string.h>
#include <windows.h>

static char files[MAX_PATH];

static HANDLE open_file(const char *ending, DWORD access, DWORD how) {
    char path[MAX_PATH + 8];
    snprintf(path, sizeof path, "%s%s", files, ending);
    return CreateFile(path, access, 7, NULL, how, 0, NULL);
}

static void copy(HANDLE from, HANDLE to) {
    char bytes[4096];
    DWORD count, written;
    while (ReadFile(from, bytes, sizeof bytes, &count, NULL) && count)
        WriteFile(to, bytes, count, &written, NULL);
    CloseHandle(from);
    CloseHandle(to);
}

int main(void) {
    STARTUPINFO start = {sizeof start};
    PROCESS_INFORMATION process;
    char script[MAX_PATH], directory[MAX_PATH];
    GetTempPath(sizeof directory, directory);
    GetTempFileName(directory, "ssh", 0, files);
    SetEnvironmentVariable("SSH_FILES", files);
    copy(GetStdHandle(STD_INPUT_HANDLE), open_file("", GENERIC_WRITE, OPEN_EXISTING));
    GetModuleFileName(NULL, script, sizeof script);
    strcpy(strrchr(script, '.'), ".sh");
    CreateProcess(script, GetCommandLine(), NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
    while (open_file(".end", GENERIC_READ, OPEN_EXISTING) == INVALID_HANDLE_VALUE)
        Sleep(50);
    copy(open_file(".out", GENERIC_READ, OPEN_EXISTING), GetStdHandle(STD_OUTPUT_HANDLE));
    copy(open_file(".err", GENERIC_READ, OPEN_EXISTING), GetStdHandle(STD_ERROR_HANDLE));
    return 0;
}
EOF
x86_64-w64-mingw32-gcc -o "$beside/ssh.exe" "$work/ssh.c"

ip link set lo up
hostname xu4-master
mount -t tmpfs none /run
mkdir /run/sshd
cp "$keys/id_ed25519.pub" "$work/authorized"
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
