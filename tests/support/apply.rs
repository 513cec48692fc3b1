//! A card that differs from the profile.

use super::*;

pub const IMAGE: &str = "out/xu4-node2.img";

/// A card in use: broken in several ways, with a user's own files and lines, and the
/// identity that Docker has made since.
pub fn damaged_card() -> Bench {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node2"]);
    let image = bench.path(IMAGE);
    let text = cat(&image, "/etc/network/interfaces");
    let typo = text.replace("address 192", "addres 192");
    write(&bench, IMAGE, "/etc/network/interfaces", &typo);
    write(&bench, IMAGE, "/etc/hostname", "xu4-nod2\n");
    let hosts = cat(&image, "/etc/hosts");
    let fewer: String = hosts
        .lines()
        .filter(|line| !line.contains("xu4-node3"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(fewer, hosts);
    write(&bench, IMAGE, "/etc/hosts", &format!("{fewer}192.168.1.50 printer\n"));
    write(&bench, IMAGE, "/etc/docker/key.json", "{\"made\": \"since then\"}\n");
    write(&bench, IMAGE, "/home/odroid/diary", "dear diary\n");
    e2fsck(&image);
    bench
}

pub fn assert_fixed(bench: &Bench) {
    let image = bench.path(IMAGE);
    e2fsck(&image);
    let (code, out, error) = verify(bench, &[IMAGE]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert_eq!(cat(&image, "/etc/hostname"), "xu4-node2\n");
    assert!(cat(&image, "/etc/hosts").contains("192.168.1.50 printer"));
    assert!(cat(&image, "/etc/hosts").contains("xu4-node3"));
    assert_eq!(cat(&image, "/etc/docker/key.json"), "{\"made\": \"since then\"}\n");
    assert_eq!(cat(&image, "/home/odroid/diary"), "dear diary\n");
}
