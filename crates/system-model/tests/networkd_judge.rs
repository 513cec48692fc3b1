//! Drawn .network files, judged by systemd-networkd itself, as root in namespaces of their own:
//! which file it takes for an interface, and the static addresses that the interface gets.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use common::{Draw, cases, program, run};
use system_model::{
    MemoryFiles,
    network::{AddressKind, Fit, Networkd},
};

const INTERFACES: [&str; 3] = ["eth0", "eth1", "end0"];

/// The directories as they are beside a case, and in the system.
const DIRECTORIES: [(&str, &str); 3] = [
    ("etc", "/etc/systemd/network"),
    ("run", "/run/systemd/network"),
    ("usr", "/usr/lib/systemd/network"),
];

fn section(draw: &mut Draw, number: usize) -> String {
    let mut text = String::new();
    for _ in 0..draw.number(3) {
        text.push_str(draw.of(&[
            "[Match]\nName=eth0\n",
            "[Match]\nName=eth*\n",
            "[Match]\nName=e*\n",
            "[Match]\nName=eth[1-9] end0\n",
            "[Match]\nName=!eth0\n",
            "[Match]\nName=!eth0 end*\n",
            "[Match]\nName=end?\nName=eth1\n",
            "[Match]\nName=\n",
            "[Match]\nType=ether\n",
            "[Match]\nType=!wlan\n",
            "[Match]\nType=wlan\n",
            "[Match]\nSSID=home\n",
            "[Match]\n# Name=eth0\n",
        ]));
    }
    for _ in 0..draw.number(3) {
        let host = 1 + draw.number(250);
        match draw.number(8) {
            0..=3 => text.push_str(&format!("[Network]\nAddress=10.7.{number}.{host}/24\n")),
            4 => text.push_str(&format!("[Address]\nAddress=10.8.{number}.{host}/16\n")),
            // An empty `Address=` is left out: systemd 252 ignores it, later ones clear the list.
            5 | 6 if draw.one_in(2) => text.push_str("[Link]\nUnmanaged=yes\n"),
            _ => text.push_str("[Network]\nDescription=x\\\n  y\nLinkLocalAddressing=no\n"),
        }
    }
    text
}

/// Runs networkd on each case. Leaves `said` beside it: a line for each interface, with the file
/// and the addresses.
const SCRIPT: &str = r#"
set -e
networkd=$1 cases=$2
mount -t sysfs -o ro sysfs /sys 2>/dev/null || mount -o remount,ro,bind /sys
mkdir -p /etc/systemd/network
ip link set lo up
for case in $cases/*/; do
    case=${case%/}
    mount -t tmpfs none /run
    mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/systemd
    cp -a $case/run /run/systemd/network
    chown -R systemd-network: /run/systemd/netif
    mount --bind $case/etc /etc/systemd/network
    mount --bind $case/usr /usr/lib/systemd/network
    for name in eth0 eth1 end0; do
        ip link add $name type veth peer name peer-$name
        ip link set peer-$name up
    done
    SYSTEMD_LOG_TARGET=console $networkd >$case/log 2>&1 &
    pid=$!
    tries=0
    while [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
        done=yes
        for name in eth0 eth1 end0; do
            state=/run/systemd/netif/links/$(cat /sys/class/net/$name/ifindex)
            grep -qsE '^ADMIN_STATE=(configured|configuring|unmanaged|failed)' $state || done=
        done
        [ -z "$done" ] || break
    done
    sleep 0.5
    for name in eth0 eth1 end0; do
        state=/run/systemd/netif/links/$(cat /sys/class/net/$name/ifindex)
        file=$(sed -n 's/^NETWORK_FILE=//p' $state)
        echo $name ${file:-none} $(ip -4 -o addr show dev $name | awk '{ print $4 }')
    done >$case/said
    kill $pid
    wait $pid || true
    for name in eth0 eth1 end0; do ip link del $name; done
    umount /usr/lib/systemd/network /etc/systemd/network /run
done
"#;

#[test]
fn drawn_network_files_configure_interfaces_as_networkd_does() {
    let networkd = "/usr/lib/systemd/systemd-networkd";
    assert!(
        Path::new(networkd).exists() && Path::new("/usr/lib/systemd/network").is_dir(),
        "systemd-networkd is missing: install Debian's package systemd"
    );
    let unshare = program(&["unshare"], "util-linux");
    program(&["ip"], "iproute2");
    if !run(Command::new(&unshare).args(["-n", "-m", "true"])).status.success() {
        println!("not root: systemd-networkd was NOT asked");
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    run(Command::new("chmod").arg("755").arg(work.path()));
    let mut drawn = Vec::new();
    for seed in 0..cases(16) {
        let mut draw = Draw::new(seed + 5);
        let at = work.path().join(format!("{seed:04}"));
        let mut files = MemoryFiles::new();
        let mut shown = String::new();
        let mut number = 0;
        for (beside, _) in DIRECTORIES {
            fs::create_dir_all(at.join(beside)).expect("a directory");
        }
        for _ in 0..2 + draw.number(6) {
            let (beside, path) = DIRECTORIES[draw.number(DIRECTORIES.len())];
            let name = draw.of(&[
                "10-a.network",
                "20-b.network",
                "30-c.network",
                "20-b.network.d/x.conf",
                "30-c.network.d/y.conf",
                "30-c.conf",
            ]);
            let whole = at.join(beside).join(name);
            fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
            if whole.symlink_metadata().is_ok() {
                continue;
            }
            if draw.one_in(8) {
                std::os::unix::fs::symlink("/dev/null", &whole).expect("a link");
                files.symlink(&format!("{path}/{name}"), "/dev/null");
                shown.push_str(&format!("--- {path}/{name} -> /dev/null\n"));
                continue;
            }
            number += 1;
            let mut text = section(&mut draw, number);
            if name.ends_with(".network") && draw.one_in(2) {
                text.insert_str(0, draw.of(&["[Match]\nName=eth0\n", "[Match]\nName=e*\n"]));
            }
            fs::write(&whole, &text).expect("written");
            files.write(&format!("{path}/{name}"), &text);
            shown.push_str(&format!("--- {path}/{name}\n{text}"));
        }
        drawn.push((at, files, shown));
    }
    let output = run(Command::new(&unshare)
        .args(["-n", "-m", "sh", "-c", SCRIPT, "sh", networkd])
        .arg(work.path()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut with_file, mut with_address, mut wrong) = (0, 0, Vec::new());
    for (at, files, shown) in drawn {
        let said = fs::read_to_string(at.join("said")).expect("readable");
        let mut theirs = BTreeMap::new();
        for line in said.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let (name, file) = (words.next().expect("a name"), words.next().expect("a file"));
            let file = file.rsplit('/').next().unwrap_or_default().to_owned();
            theirs.insert(name, (file, words.collect::<BTreeSet<_>>()));
        }
        let model = Networkd::read(&files).expect("readable");
        let mut mine = BTreeMap::new();
        for name in INTERFACES {
            let chosen = model.candidates(name);
            assert!(chosen.iter().all(|(_, fit)| *fit == Fit::Yes), "{shown}");
            // networkd forgets the file of an interface that it leaves alone.
            let chosen = chosen.first().filter(|(file, _)| !file.unmanaged);
            let file = chosen.map_or("none".to_owned(), |(file, _)| file.name.clone());
            let sources = model.sources(name).into_iter();
            let addresses: BTreeSet<String> = sources
                .filter_map(|source| match source.kind {
                    AddressKind::Static(address) => Some(address),
                    _ => None,
                })
                .collect();
            with_file += usize::from(file != "none");
            with_address += addresses.len();
            mine.insert(name.to_owned(), (file, addresses));
        }
        if mine != theirs {
            let log = fs::read_to_string(at.join("log")).unwrap_or_default();
            wrong.push(format!("model {mine:?}\nnetworkd {theirs:?}\n{shown}{log}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{with_file} interfaces have a file, {with_address} addresses are set alike");
    assert!(with_file > 10 && with_address > 8, "{with_file} {with_address}");
}
