//! Drawn keyfiles and settings, judged by NetworkManager itself, as root in namespaces and a root
//! directory of their own, on a bus of their own: which connection an interface gets, and its
//! static addresses.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use common::{Draw, cases, program, run};
use system_model::{
    MemoryFiles,
    network::{AddressKind, Netplan, NetworkManager},
};

const INTERFACES: [&str; 2] = ["eth0", "eth1"];

fn keyfile(draw: &mut Draw, id: &str, number: usize) -> String {
    let mut text = format!(
        "[connection]\nid={id}\ntype={}\n",
        draw.of(&["ethernet", "ethernet", "802-3-ethernet", "wifi"])
    );
    // A veth, unlike a board's interface, takes no connection without a name.
    let interface = draw.of(&["eth0", "eth0", "eth1", "end0"]);
    text.push_str(&format!("interface-name={interface}\n"));
    if draw.one_in(4) {
        text.push_str("uuid=0f9a5a8e-6d0c-4f0e-8f0f-3c1f0a2b4c5d\n");
    }
    // Of two with one priority, the time of their last use decides.
    text.push_str(&format!("autoconnect-priority={number}\n"));
    if draw.one_in(6) {
        text.push_str("autoconnect=false\n");
    }
    if text.contains("wifi") {
        text.push_str("[wifi]\nssid=home\n");
    }
    match draw.number(4) {
        0 => text.push_str("[ipv4]\nmethod=auto\n"),
        1 => text.push_str("# nothing\n[ipv4]\nmethod=disabled\n"),
        _ => text.push_str(&format!(
            "[ipv4]\n{}=10.6.{number}.{}/24{}\nmethod=manual\n",
            draw.of(&["address1", "addresses1"]),
            1 + draw.number(250),
            draw.of(&["", ",10.6.0.254"]),
        )),
    }
    text.push_str("[ipv6]\nmethod=disabled\n");
    text
}

const BUS: &str = r#"<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen>
<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="signal"/>
<allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>
"#;

/// Runs NetworkManager on each case. Leaves `said` beside it: a line for each interface, with its
/// state, its addresses and its connection.
const SCRIPT: &str = r#"
set -e
tools=$1 root=$2 cases=$3
mount -t tmpfs none $root
mkdir -p $root/usr $root/proc $root/dev $root/sys $root/run $root/tmp $root/tools $root/var $root/etc
mount --bind /usr $root/usr
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L /$name ]; then ln -s usr/$name $root/$name; fi
done
mount --rbind /dev $root/dev; mount --rbind /proc $root/proc
mount -t sysfs -o ro sysfs $root/sys
mount --bind $tools $root/tools
mount -t tmpfs none $root/var
ln -s /run $root/var/run
libraries=$(cd $tools && echo usr/lib/*-linux-gnu*)
ask() {
    chroot $root env -i PATH=/tools/usr/bin:/tools/usr/sbin:/usr/sbin:/usr/bin \
        LD_LIBRARY_PATH=/tools/${libraries%% *} "$@"
}
# In a background shell: the shell becomes the program, so that its pid can be killed.
become() {
    exec chroot $root env -i PATH=/tools/usr/sbin:/usr/sbin:/usr/bin \
        LD_LIBRARY_PATH=/tools/${libraries%% *} "$@"
}
ip link set lo up
for case in $cases/*/; do
    case=${case%/}
    mount --bind $case/etc $root/etc
    mount -t tmpfs none $root/run
    mkdir -p $root/run/dbus $root/run/NetworkManager $root/var/lib/NetworkManager
    cp -a $case/run $root/run/NetworkManager/system-connections
    for name in eth0 eth1; do
        ip link add $name type veth peer name peer-$name
        ip link set peer-$name up
    done
    become dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile >$case/bus.log 2>&1 &
    bus=$!
    tries=0
    while [ ! -S $root/run/dbus/system_bus_socket ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1)); sleep 0.1
    done
    become NetworkManager --no-daemon >$case/log 2>&1 &
    manager=$!
    tries=0 same=0 before=
    while [ $tries -lt 60 ] && [ $same -lt 3 ]; do
        tries=$((tries + 1)); sleep 0.4
        now=$(ask nmcli -t -f DEVICE,STATE,CONNECTION device 2>/dev/null || true; ip -4 -o addr show dev eth0; ip -4 -o addr show dev eth1)
        case $now in
        "$before") case $now in *eth1:*) same=$((same + 1)) ;; esac ;;
        *) same=0 before=$now ;;
        esac
    done
    for name in eth0 eth1; do
        line=$(ask nmcli -t -f DEVICE,STATE,CONNECTION device | grep "^$name:")
        line=${line#*:}
        addresses=$(ip -4 -o addr show dev $name | awk '{ printf "%s%s", comma, $4; comma = "," }')
        echo "$name|${line%%:*}|$addresses|${line#*:}"
    done >$case/said
    kill $manager $bus
    wait $manager $bus || true
    for name in eth0 eth1; do ip link del $name; done
    rm -rf $root/var/lib/NetworkManager
    umount -l $root/run $root/etc
done
"#;

#[test]
fn drawn_keyfiles_configure_interfaces_as_network_manager_does() {
    let manager = program(&["NetworkManager"], "network-manager");
    program(&["dbus-daemon"], "dbus-daemon");
    program(&["ip"], "iproute2");
    let unshare = program(&["unshare"], "util-linux");
    if !run(Command::new(&unshare).args(["-n", "-m", "true"])).status.success() {
        println!("not root: NetworkManager was NOT asked");
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    let root = work.path().join("root");
    let directory = work.path().join("cases");
    fs::create_dir(&root).expect("a directory");
    let mut drawn = Vec::new();
    for seed in 0..cases(6) {
        let mut draw = Draw::new(seed + 3);
        let at = directory.join(format!("{seed:04}"));
        let (etc, runtime) = (at.join("etc"), at.join("run"));
        let connections = etc.join("NetworkManager/system-connections");
        let settings = etc.join("NetworkManager/conf.d");
        for one in [&runtime, &connections, &settings] {
            fs::create_dir_all(one).expect("a directory");
        }
        for name in ["passwd", "group"] {
            fs::copy(format!("/etc/{name}"), etc.join(name)).expect("copied");
        }
        fs::write(etc.join("bus.conf"), BUS).expect("written");
        fs::write(etc.join("machine-id"), "0123456789abcdef0123456789abcdef\n").expect("written");
        let mut files = MemoryFiles::new();
        let mut shown = String::new();
        for number in 1..=2 + draw.number(4) {
            let id = format!("c{number}");
            let text = keyfile(&mut draw, &id, number);
            let (beside, path) = if draw.one_in(4) {
                (&runtime, "/run/NetworkManager/system-connections")
            } else {
                (&connections, "/etc/NetworkManager/system-connections")
            };
            let name = format!("{}.nmconnection", draw.of(&[id.as_str(), id.as_str(), "same"]));
            let mode = if draw.one_in(6) { 0o644 } else { 0o600 };
            let whole = beside.join(&name);
            fs::write(&whole, &text).expect("written");
            fs::set_permissions(&whole, fs::Permissions::from_mode(mode)).expect("set");
            let path = format!("{path}/{name}");
            files.write(&path, &text).own(&path, mode as u16, 0, 0);
            shown.push_str(&format!("--- {path}, mode {mode:o}\n{text}"));
        }
        for name in ["10-a.conf", "20-b.conf"] {
            if draw.one_in(2) {
                continue;
            }
            let text = draw.of(&[
                "[keyfile]\nunmanaged-devices=interface-name:eth1\n",
                "[keyfile]\nunmanaged-devices=*,except:interface-name:eth0\n",
                "[keyfile]\nunmanaged-devices+=interface-name:=eth0\n",
                "[keyfile]\nunmanaged-devices=interface-name:~eth[5-9];type:wifi\n",
                "[keyfile]\nunmanaged-devices=\n",
                "[device-x]\nmatch-device=interface-name:eth0\nmanaged=0\n",
                "[main]\nno-auto-default=*\n",
                "[main]\nno-auto-default=eth1,eth7\n",
            ]);
            fs::write(settings.join(name), text).expect("written");
            let path = format!("/etc/NetworkManager/conf.d/{name}");
            files.write(&path, text);
            shown.push_str(&format!("--- {path}\n{text}"));
        }
        drawn.push((at, files, shown));
    }
    let tools = manager.ancestors().nth(3).expect("usr/sbin/NetworkManager").to_owned();
    let output = run(Command::new(&unshare)
        .args(["-n", "-m", "sh", "-c", SCRIPT, "sh"])
        .args([&tools, &root, &directory]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut connected, mut with_address, mut wrong) = (0, 0, Vec::new());
    for (at, files, shown) in drawn {
        let said = fs::read_to_string(at.join("said")).expect("readable");
        let mut theirs = BTreeMap::new();
        for line in said.lines() {
            let words: Vec<&str> = line.split('|').collect();
            let [name, state, addresses, connection] = words.as_slice() else { panic!("{line}") };
            let what = match *connection {
                "" => {
                    if *state == "unmanaged" {
                        "unmanaged"
                    } else {
                        "none"
                    }
                }
                name if name.starts_with("Wired connection") => "automatic",
                name => name,
            };
            let addresses = addresses.split(',').filter(|one| !one.is_empty()).map(str::to_owned);
            theirs
                .insert((*name).to_owned(), (what.to_owned(), addresses.collect::<BTreeSet<_>>()));
        }
        let model = NetworkManager::read(&files, &Netplan::default()).expect("readable");
        let mut mine = BTreeMap::new();
        for name in INTERFACES {
            let sources = model.sources(name);
            let candidates = model.candidates(name);
            let what = match (model.unmanaged_by(name), candidates.first()) {
                (Some(_), _) => "unmanaged",
                (None, Some(first)) => first.id.as_str(),
                (None, None) if sources.is_empty() => "none",
                (None, None) => "automatic",
            };
            let first = candidates.first().map(|first| first.path.as_str());
            let addresses: BTreeSet<String> = sources
                .into_iter()
                .filter(|source| source.at.as_ref().map(|at| at.path.as_str()) == first)
                .filter_map(|source| match source.kind {
                    AddressKind::Static(address) => Some(address),
                    _ => None,
                })
                .collect();
            connected += usize::from(first.is_some() && what != "unmanaged");
            with_address += addresses.len();
            mine.insert(name.to_owned(), (what.to_owned(), addresses));
        }
        if mine != theirs {
            let log = fs::read_to_string(at.join("log")).unwrap_or_default();
            wrong.push(format!("model {mine:?}\nNetworkManager {theirs:?}\n{shown}{log}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{connected} interfaces have a keyfile, {with_address} addresses are set alike");
    assert!(connected > 3 && with_address > 2, "{connected} {with_address}");
}
