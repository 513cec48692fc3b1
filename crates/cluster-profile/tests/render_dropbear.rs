//! dropbear's host keys on a finished card.

mod common;

use common::{Fixture, Memory, PROFILE, debian_networkd};

const DIRECTORY: &str = "/etc/dropbear";

/// A system with dropbear and the host keys of an image.
fn base(program: &[u8], arguments: &str) -> Memory {
    let mut base = debian_networkd()
        .file("/usr/sbin/dropbear", program)
        .with_mode("/usr/sbin/dropbear", 0o755)
        .file(
            "/usr/lib/systemd/system/dropbear.service",
            format!("[Service]\nExecStart=/usr/sbin/dropbear -EF -p 22 {arguments}\n"),
        )
        .file("/etc/dropbear/initramfs/dropbear_rsa_host_key", "image");
    for kind in ["rsa", "ecdsa", "ed25519"] {
        base = base.file(&format!("{DIRECTORY}/dropbear_{kind}_host_key"), "image");
    }
    base
}

#[test]
fn the_nodes_key_replaces_those_of_the_image() {
    let fixture = Fixture::new(PROFILE);
    let keys = |card: &Memory, name: &str| card.0[name].clone();
    let own = format!("{DIRECTORY}/dropbear_ed25519_host_key");
    let (first, _) = fixture.settled(&base(b"", ""), 0);
    let (second, _) = fixture.settled(&base(b"", ""), 1);
    assert_ne!(keys(&first, &own), keys(&second, &own));
    assert_eq!(first.mode(&own), (0o600, (0, 0)));
    for kind in ["rsa", "ecdsa"] {
        assert!(!first.has(&format!("{DIRECTORY}/dropbear_{kind}_host_key")), "{kind}");
    }
    // The key of an initramfs is in the initramfs too.
    assert!(first.has("/etc/dropbear/initramfs/dropbear_rsa_host_key"));
}

#[test]
fn arguments_say_where_the_key_belongs() {
    let fixture = Fixture::new(PROFILE);
    let image = base(b"", "-r /etc/keys/one -r /etc/keys/two")
        .file("/etc/keys/one", "image")
        .file("/etc/keys/two", "image");
    let (card, _) = fixture.settled(&image, 0);
    let (usual, _) = fixture.settled(&base(b"", ""), 0);
    let own = format!("{DIRECTORY}/dropbear_ed25519_host_key");
    assert_eq!(card.0["/etc/keys/one"], usual.0[&own]);
    assert!(!card.has("/etc/keys/two") && !card.has(&own));
}

#[test]
fn a_dropbear_without_such_keys_keeps_what_it_has() {
    let fixture = Fixture::new(PROFILE);
    let old = b"\x7fELF ssh-rsa ecdsa-sha2-nistp256";
    let (card, notes) = fixture.settled(&base(old, ""), 0);
    assert!(card.has(&format!("{DIRECTORY}/dropbear_rsa_host_key")));
    assert!(notes.iter().any(|note| note.contains("too old for ed25519 host keys")), "{notes:?}");
    let (card, notes) = fixture.settled(&base(b"\x7fELF ssh-rsa ssh-ed25519", ""), 0);
    assert!(!card.has(&format!("{DIRECTORY}/dropbear_rsa_host_key")), "{notes:?}");
    // dropbear-bin alone is no server.
    let bin =
        debian_networkd().file("/usr/sbin/dropbear", "").with_mode("/usr/sbin/dropbear", 0o755);
    assert!(!fixture.settled(&bin, 0).0.has(DIRECTORY));
}
