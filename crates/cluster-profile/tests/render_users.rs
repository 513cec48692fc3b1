//! Passwords in /etc/shadow, and keys of single users.

mod common;

use common::{Fixture, Memory, PROFILE, ubuntu_1604};
use proptest::prelude::*;

const HASH: &str = "$6$saltsalt$MyZEicwklUInnzlwTHrN6tX9kgG.9zZodQh4HPYZf8mXzTbYh.Hc1zeg79WHZdhCtDh69AOruPUbmzsnlQ/nc/";
const YESCRYPT: &str = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$O2Sx6PAd7fwbv4Yc4yZZqMeL.eoxWfqVZ0NDO03Aq0A";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti anna";
/// The day of the build.
const TODAY: &str = "19675";

fn fixture(users: &str) -> Fixture {
    Fixture::new(&format!("{PROFILE}users: {users}\n"))
}

fn has_note(notes: &[String], words: &str) -> bool {
    notes.iter().any(|note| note.contains(words))
}

#[test]
fn passwords_are_set_and_accounts_locked() {
    let fixture = fixture(&format!("{{root: {{password: {HASH}}}, odroid: {{locked: true}}}}"));
    let shadow = "root:$6$old:17000:0:99999:7:::\n# mine\ndaemon:*:17000::::::\n\
                  odroid:$6$old:0:1:99999:3:4:29999:6\n";
    let base = ubuntu_1604().file("/etc/shadow", shadow).with_mode("/etc/shadow", 0o640);
    let (card, notes) = fixture.settled(&base, 1);
    assert_eq!(
        card.text("/etc/shadow"),
        format!(
            "root:{HASH}:{TODAY}:0:99999:7:::\n# mine\ndaemon:*:17000::::::\n\
             odroid:*:{TODAY}:1:99999:3:4:29999:6\n"
        )
    );
    assert_eq!(card.mode("/etc/shadow"), (0o640, (0, 0)));
    // The change at the first login that the image asked for is done.
    assert!(!has_note(&notes, "new password for"), "{notes:?}");
    assert!(!has_note(&notes, "/etc/shadow"), "{notes:?}");
    // On another day nothing changes.
    let later =
        cluster_profile::render_shared(&fixture.cluster, &fixture.keys, &card, 2_000_000_000);
    assert!(later.unwrap().edits.iter().all(|edit| edit.path != "/etc/shadow"));
}

#[test]
fn without_users_nothing_is_touched() {
    let fixture = Fixture::new(PROFILE);
    let odd = "root::\nnonsense\n";
    let (card, _) = fixture.settled(&ubuntu_1604().file("/etc/shadow", odd), 0);
    assert_eq!(card.text("/etc/shadow"), odd);
}

#[test]
fn a_hash_that_is_there_already_keeps_its_day() {
    let fixture = fixture(&format!("{{root: {{password: {HASH}}}}}"));
    for (day, after) in [("17000", "17000"), ("0", TODAY), ("", "")] {
        let base = ubuntu_1604().file("/etc/shadow", format!("root:{HASH}:{day}:0:99999:7:::\n"));
        let (card, _) = fixture.settled(&base, 0);
        assert_eq!(card.text("/etc/shadow"), format!("root:{HASH}:{after}:0:99999:7:::\n"));
    }
}

#[test]
fn odd_shadow_files() {
    let fixture = fixture("{odroid: {locked: true}}");
    let line = format!("odroid:*:{TODAY}:0:99999:7:::");
    for (before, after) in [
        ("odroid:x:1:2:3:4:5::7", format!("odroid:*:{TODAY}:2:3:4:5::7")),
        // The account has expired, and the profile lets its user in.
        ("odroid:x:1:2:3:4:5:6:7", format!("odroid:*:{TODAY}:2:3:4:5::7")),
        (
            "odroid:x:1:0:9:7:::\r\nroot:x:1:\r\n",
            format!("odroid:*:{TODAY}:0:9:7:::\r\nroot:x:1:\r\n"),
        ),
        ("odroid::::::::\n", format!("odroid:*:{TODAY}::::::\n")),
        (
            "odroid:a:1:0:9:7:::\nodroid:b:1:0:9:7:::\n",
            format!("odroid:*:{TODAY}:0:9:7:::\n").repeat(2),
        ),
        ("root:x:17000:0:99999:7:::", format!("root:x:17000:0:99999:7:::\n{line}\n")),
        ("", format!("{line}\n")),
        ("odroid\n", format!("odroid\n{line}\n")),
        ("odroid:!\n", format!("{line}\n")),
        ("odroids:x:1:0:9:7:::\n odroid:x\n", format!("odroids:x:1:0:9:7:::\n odroid:x\n{line}\n")),
    ] {
        let (card, _) = fixture.settled(&ubuntu_1604().file("/etc/shadow", before), 0);
        assert_eq!(card.text("/etc/shadow"), after, "{before:?}");
    }
}

#[test]
fn users_whose_password_cannot_be_set_are_refused_by_name() {
    let locked = |name: &str| fixture(&format!("{{{name}: {{locked: true}}}}"));
    let refused = |fixture: &Fixture, base: &Memory| fixture.shared(base).unwrap_err().to_string();
    assert_eq!(
        refused(&locked("pi"), &ubuntu_1604()),
        "`users` in the profile names pi, but the image has no such user"
    );
    let passwd = ubuntu_1604().text("/etc/passwd").replace("odroid:x:", "odroid:$6$x$y:");
    let base = ubuntu_1604().file("/etc/passwd", passwd);
    let error = refused(&locked("odroid"), &base);
    assert!(
        error.starts_with("the password of odroid is not in the image's /etc/shadow"),
        "{error}"
    );
    assert!(!error.contains("$6$"), "{error}");
    // Keys need no password.
    assert!(fixture(&format!("{{odroid: {{authorized_keys: [{KEY}]}}}}")).shared(&base).is_ok());
    let mut base = ubuntu_1604();
    base.0.remove("/etc/shadow");
    assert!(refused(&locked("root"), &base).contains("the image has no /etc/shadow"));
}

#[test]
fn keys_of_one_user_alone() {
    let profile = PROFILE.replace("[root, odroid]", "[root]");
    let fixture = Fixture::new(&format!(
        "{profile}users: {{odroid: {{authorized_keys: [{KEY}]}}, root: {{authorized_keys: [{KEY}]}}}}\n"
    ));
    let base = ubuntu_1604()
        .with_mode("/home/odroid", 0o777)
        .file("/home/odroid/.ssh/authorized_keys", "ssh-rsa AAAAROOT r\nssh-rsa AAAAMINE me\n");
    let (card, notes) = fixture.settled(&base, 0);
    // What the image's pairs let in goes here too; the pair itself is its owner's.
    assert_eq!(
        card.text("/home/odroid/.ssh/authorized_keys"),
        format!("ssh-rsa AAAAMINE me\n{KEY}\n")
    );
    assert_eq!(card.mode("/home/odroid/.ssh/authorized_keys"), (0o600, (1000, 1001)));
    assert_eq!(card.mode("/home/odroid/.ssh"), (0o700, (1000, 1001)));
    assert_eq!(card.mode("/home/odroid"), (0o755, (1000, 1001)));
    assert!(!card.has("/home/odroid/.ssh/id_ed25519"), "the cluster's key is not for all");
    assert!(card.has("/home/odroid/.ssh/id_rsa"));
    assert!(has_note(&notes, "it was kept, because `ssh.users` does not name odroid"), "{notes:?}");
    let cluster = fixture.keys.cluster().public();
    assert_eq!(
        card.text("/root/.ssh/authorized_keys"),
        format!("ssh-rsa AAAAMINE me@desk\n{cluster}{KEY}\n")
    );
    // Without `ssh`, too, and what rejects them is noted.
    let profile = PROFILE.replace("ssh:\n  users: [root, odroid]\n", "");
    let fixture =
        Fixture::new(&format!("{profile}users: {{root: {{authorized_keys: [{KEY}]}}}}\n"));
    let base = ubuntu_1604().file("/etc/ssh/sshd_config", "PermitRootLogin no\n");
    let (card, notes) = fixture.settled(&base, 0);
    assert!(card.text("/root/.ssh/authorized_keys").ends_with(&format!("\n{KEY}\n")));
    assert!(!card.has("/root/.ssh/id_ed25519"));
    assert!(has_note(&notes, "permitrootlogin no"), "{notes:?}");
}

#[test]
fn an_image_that_cannot_make_the_hash_is_noted() {
    let fixture = fixture(&format!("{{root: {{password: {YESCRYPT}}}}}"));
    let glibc = "/lib/arm-linux-gnueabihf/libcrypt-2.23.so";
    let old = ubuntu_1604().file(glibc, "").link("/lib/arm-linux-gnueabihf/libcrypt.so.1", glibc);
    let (_, notes) = fixture.settled(&old, 0);
    assert!(
        has_note(&notes, "libcrypt is glibc's, which does not support $y$ hashes"),
        "{notes:?}"
    );
    let xcrypt = "/usr/lib/arm-linux-gnueabihf/libcrypt.so.1.1.0";
    for base in [ubuntu_1604(), ubuntu_1604().file(xcrypt, ""), old.file(xcrypt, "")] {
        let (_, notes) = fixture.settled(&base, 0);
        assert!(!has_note(&notes, "libcrypt"), "{notes:?}");
    }
    let (_, notes) = self::fixture(&format!("{{root: {{password: {HASH}}}}}"))
        .settled(&ubuntu_1604().file(glibc, ""), 0);
    assert!(!has_note(&notes, "libcrypt"), "{notes:?}");
}

#[test]
fn hashes_that_everybody_can_read_are_noted() {
    let fixture = Fixture::new(PROFILE);
    let (card, notes) = fixture.settled(&ubuntu_1604().with_mode("/etc/shadow", 0o644), 0);
    assert!(
        has_note(&notes, "every user can read the password hashes in /etc/shadow"),
        "{notes:?}"
    );
    assert_eq!(card.mode("/etc/shadow").0, 0o644, "its owner's business");
}

fn shadow_line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["root", "odroid", "daemon", "", "#root", "odroid2", "+"]);
    let field = prop::sample::select(vec!["", "0", "17000", "*", "!", "$6$a$b", "x y", "\u{e4}"]);
    let end = prop::sample::select(vec!["\n", "\r\n", "\n\n"]);
    (name, prop::collection::vec(field, 0..10), end).prop_map(|(name, fields, end)| {
        let fields: String = fields.iter().map(|field| format!(":{field}")).collect();
        format!("{name}{fields}{end}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn only_the_users_own_lines_change(
        lines in prop::collection::vec(shadow_line(), 0..8), ended in any::<bool>(),
    ) {
        thread_local!(static FIXTURE: Fixture = fixture(
            &format!("{{root: {{password: {HASH}}}, odroid: {{locked: true}}}}")
        ));
        FIXTURE.with(|fixture| {
            let text = lines.concat();
            let text = if ended { text.as_str() } else { text.trim_end_matches(['\r', '\n']) };
            let base = ubuntu_1604().file("/etc/shadow", text).with_mode("/etc/shadow", 0o640);
            let (once, _) = fixture.card(&base, 1).unwrap();
            let new = once.text("/etc/shadow");
            let (twice, _) = fixture.card(&once, 1).unwrap();
            prop_assert_eq!(&twice.text("/etc/shadow"), &new);
            let others = |text: &str| -> Vec<String> {
                let ours = |line: &&str| !line.starts_with("root:") && !line.starts_with("odroid:");
                text.split('\n').filter(ours).filter(|l| !l.is_empty()).map(str::to_owned).collect()
            };
            prop_assert_eq!(others(&new), others(text));
            for (user, field) in [("root", HASH), ("odroid", "*")] {
                let own: Vec<Vec<&str>> = new
                    .lines()
                    .map(|line| line.split(':').collect::<Vec<_>>())
                    .filter(|fields| fields.len() > 1 && fields[0] == user)
                    .collect();
                prop_assert!(!own.is_empty());
                for fields in own {
                    prop_assert!(fields.len() >= 5 && fields[1] == field && fields[2] != "0", "{:?}", fields);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(prop_oneof![2 => Just(b':'), 2 => Just(b'\n'), 1 => Just(b'$'), 8 => any::<u8>()], 0..200),
        passwd in any::<bool>(),
    ) {
        thread_local!(static FIXTURE: Fixture = fixture("{root: {locked: true}}"));
        FIXTURE.with(|fixture| {
            let path = if passwd { "/etc/passwd" } else { "/etc/shadow" };
            let base = ubuntu_1604().file(path, &bytes);
            if let Ok((once, _)) = fixture.card(&base, 1) {
                prop_assert_eq!(&fixture.card(&once, 1).unwrap().0, &once);
            }
            Ok(())
        })?;
    }
}

/// A user who would only be made at the first boot: the message says by what, and how the
/// profile has the user made.
#[test]
fn the_makers_of_a_first_boot_are_named() {
    let fix = |base: &Memory, user: &str| {
        let profile = PROFILE.replace("users: [root, odroid]", &format!("users: [{user}]"));
        let error = Fixture::new(&profile).card(base, 0).unwrap_err();
        let expected = format!("names {user}, but the image has no such user");
        assert!(error.to_string().ends_with(&expected), "{error}");
        let fix = error.fix().unwrap();
        assert!(fix.contains(&format!("`users: {{{user}: {{create: true}}}}`")), "{fix}");
        fix
    };
    let enabled = |base: Memory, unit: &str, program: &str| {
        let path = format!("/usr/lib/systemd/system/{unit}");
        let text = format!("[Service]\nExecStart={program}\n");
        base.file(&path, text)
            .file(program, "#!/bin/sh\n")
            .link(&format!("/etc/systemd/system/multi-user.target.wants/{unit}"), &path)
    };
    let cloud = enabled(ubuntu_1604(), "cloud-init.service", "/usr/bin/cloud-init").file(
        "/etc/cloud/cloud.cfg",
        "users: [default]\ncloud_init_modules: [users-groups]\n\
         system_info: {distro: ubuntu, default_user: {name: ubuntu}}\n",
    );
    assert!(fix(&cloud, "ubuntu").contains("cloud-init (/etc/cloud/cloud.cfg"));
    assert!(fix(&cloud, "anna").contains("name one of these users"));
    let pi = enabled(ubuntu_1604(), "userconfig.service", "/usr/lib/userconf-pi/userconf-service");
    assert!(fix(&pi, "anna").contains("userconf"), "{}", fix(&pi, "anna"));
    let wizard = ubuntu_1604().file("/root/.not_logged_in_yet", "");
    assert!(fix(&wizard, "anna").contains("wizard"));
    assert!(fix(&ubuntu_1604(), "anna").contains("name one of these users"));
}
