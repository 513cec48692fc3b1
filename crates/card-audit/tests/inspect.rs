//! What a card holds, told to people and programs.

mod common;

use block_io::WriteAt as _;
use card_audit::inspect;
use common::{Changed, bench};

#[test]
fn a_card_is_described() {
    let bench = bench();
    let card = bench.card("xu4-node2");
    let inspection = inspect(&card.open().unwrap()).unwrap();
    let text = inspection.to_string();
    for part in [
        "xu4-node2: 64.0 MiB, MBR 3cedfd53",
        "|   p1    |",
        "p2 root",
        "partition 2: sectors 19456 to 129023, 53.5 MiB, type 0x83 (Linux)",
        "holds       FAT \"BOOT\"",
        "free        7.4 MiB of 8.0 MiB",
        "holds       ext4 \"rootfs\"",
        "state       clean",
        "features    has_journal ext_attr",
        "Hardkernel u-boot 2017.05",
        "tzsw    sector 1503",
        "system      Ubuntu 16.04.3 LTS",
        "host name   xu4-node2",
        "user        root (0): password locked, 2 authorized keys",
        "user        odroid (1000): password set",
        "at boot     ifupdown sets the address of eth0",
        "network     ifupdown, /etc/network/interfaces",
        "address 192.168.1.82",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let fingerprint = bench.keys.host("xu4-node2").unwrap().fingerprint().to_owned();
    assert!(text.contains(&fingerprint), "{text}");
    for line in text.lines() {
        let long = line.contains("SHA256:");
        assert!(line.chars().count() <= 80 || long, "{line}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&serde_json::to_string(&inspection).unwrap()).unwrap();
    assert_eq!(json["system"]["identity"]["machine_id"], bench.keys.machine_id("xu4-node2"));
    assert_eq!(json["partitions"][1]["root"], true);
    assert_eq!(json["partitions"][1]["filesystem"]["size"], 53.5 * 1048576.0);
}

#[test]
fn the_bases_passwords_are_reported() {
    let text = inspect(&bench().base_card()).unwrap().to_string();
    for user in ["root (0): default password", "odroid (1000): default password"] {
        assert!(text.contains(user), "{user} is missing: {text}");
    }
}

/// What mtools say of the free space of the boot partition.
#[test]
fn free_space_of_fat_is_what_mdir_says() {
    let bench = bench();
    let image = bench.path("out/xu4-node3.img");
    let target = format!("{}@@{}", image.display(), 3072 * 512);
    let text = common::run("mtools", "mdir", &["-i", &target]);
    let line = text.lines().find(|line| line.contains("bytes free")).unwrap();
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    let inspection = inspect(&bench.card("xu4-node3").open().unwrap()).unwrap();
    assert_eq!(inspection.partitions[0].free, Some(digits.parse().unwrap()), "{text}");
    let root = &inspection.partitions[1];
    assert_eq!(root.free, root.filesystem.as_ref().map(|fs| fs.free));
}

/// What e2fsprogs say of the free space, also where a journal waits.
#[test]
fn free_space_is_what_dumpe2fs_says() {
    let bench = bench();
    let image = bench.path("out/xu4-node3.img");
    let target = format!("{}?offset={}", image.display(), common::ROOT);
    let text = common::run("e2fsprogs", "debugfs", &["-R", "stats -h", &target]);
    let number = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().last().unwrap().parse().unwrap()
    };
    let inspection = inspect(&bench.card("xu4-node3").open().unwrap()).unwrap();
    let fs = inspection.partitions[1].filesystem.as_ref().unwrap();
    assert_eq!(fs.free, number("Free blocks:") * 4096);
    assert_eq!(u64::from(fs.free_inodes), number("Free inodes:"));
}

#[test]
fn nothing_on_a_card_reaches_the_terminal_raw() {
    let bench = bench();
    let evil = "\u{1b}[31mred\u{7}";
    let card = bench.card("xu4-node1").edit(|files| {
        files.write("/etc/hostname", &format!("{evil}\n"));
        files.write("/etc/network/interfaces", &format!("iface {evil} inet dhcp\n"));
        files.write("/usr/lib/os-release", &format!("PRETTY_NAME=\"{evil}\"\n"));
        let root = "root:x:0:0:root:/root:/bin/sh\n";
        let evil = "\u{1b}[5mme:x:1001:1001::/:/bin/sh\n";
        let passwd = format!("{root}{evil}odroid:x:1000:1000::/home/odroid:/bin/sh\n");
        files.write("/etc/passwd", &passwd);
    });
    card.root().write_at(1024 + 0x78, b"\x1b[31mrootfs").unwrap();
    let opened = card.open().unwrap();
    let plan = card_audit::plan_against(
        &card_audit::PlanOptions {
            cluster: &bench.cluster,
            keys: &bench.keys,
            node: &bench.cluster.nodes[0],
            time: None,
        },
        &opened,
    )
    .unwrap();
    for text in
        [inspect(&opened).unwrap().to_string(), bench.audit(&card).to_string(), plan.to_string()]
    {
        let raw = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
        assert_eq!(raw, None, "{text}");
    }
}

#[test]
fn a_card_without_a_system() {
    let bench = bench();
    let card = Changed::over("base", bench.base.storage(), 64 << 20)
        .edit(|files| files.remove("/etc/passwd"));
    let inspection = inspect(&card.open().unwrap()).unwrap();
    assert!(inspection.system.is_none());
    assert!(inspection.to_string().contains("there is no /etc/passwd"));
}

/// Installed is not in use: what starts at boot and speaks of the interface is, as for
/// making a card.
#[test]
fn the_network_back_end_in_use_is_reported() {
    let bench = bench();
    let report = |card: &Changed| inspect(&card.open().unwrap()).unwrap();
    let wants = "/etc/systemd/system/multi-user.target.wants";
    let card = bench.card("xu4-node2").edit(|files| {
        files.remove("/etc/network/interfaces");
        files.0.create_dir("/etc/systemd/network", 0o755).unwrap();
        files.write(
            "/etc/systemd/network/10-end0.network",
            "[Match]\nName=end0\n\n[Network]\nDHCP=yes\n",
        );
    });
    let system = report(&card).system.unwrap();
    assert_eq!((system.back_end, system.interface.as_str()), (None, "end0"));
    assert!(report(&card).to_string().contains("at boot     nothing sets the address of end0"));
    let card = card.edit(|files| {
        files.0.create_dir(wants, 0o755).unwrap();
        files.write("/lib/systemd/system/systemd-networkd.service", "[Unit]\n");
        let unit = "/lib/systemd/system/systemd-networkd.service";
        files.0.replace_with_symlink(&format!("{wants}/systemd-networkd.service"), unit).unwrap();
    });
    let text = report(&card).to_string();
    assert!(text.contains("at boot     systemd-networkd sets the address of end0"), "{text}");
    let json = serde_json::to_value(report(&card)).unwrap();
    assert_eq!(json["system"]["back_end"], "systemd-networkd");
}

#[test]
fn a_family_and_what_building_does_to_it_are_shown() {
    let bench = bench();
    let card = bench.card("xu4-node2").edit(|files| {
        files.write("/etc/armbian-release", "BOARD=odroidxu4\n");
        files.write("/root/.not_logged_in_yet", "");
    });
    let inspection = inspect(&card.open().unwrap()).unwrap();
    let boot = inspection.first_boot.as_ref().expect("a system");
    assert_eq!((boot.family.as_deref(), boot.refused.as_deref()), (Some("Armbian"), None));
    let [program] = boot.programs.as_slice() else { panic!("{:?}", boot.programs) };
    assert!(program.disarmed && program.name == "/root/.not_logged_in_yet", "{program:?}");
    let text = inspection.to_string();
    for part in [
        "family      Armbian",
        "by /etc/armbian-release",
        "first boot  /root/.not_logged_in_yet makes root's first login ask",
        "build disarms it",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["first_boot"]["programs"][0]["changes"][0], "the console login");
    let card = card.edit(|files| files.write("/ostree/deploy/x", ""));
    let inspection = inspect(&card.open().unwrap()).unwrap();
    assert!(inspection.to_string().contains("build       refuses it: an ostree system"));
}
