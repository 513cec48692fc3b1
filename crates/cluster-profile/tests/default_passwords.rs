//! Default passwords: which ones are detected, and the note about them.

mod common;

use cluster_profile::{DefaultPassword, default_password, default_password_notes};
use common::{Fixture, Memory, PROFILE, debian_networkd, sample_base, ubuntu_1604};
use proptest::prelude::*;

const HASH: &str = "$6$saltsalt$MyZEicwklUInnzlwTHrN6tX9kgG.9zZodQh4HPYZf8mXzTbYh.Hc1zeg79WHZdhCtDh69AOruPUbmzsnlQ/nc/";
const YESCRYPT: &str = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$O2Sx6PAd7fwbv4Yc4yZZqMeL.eoxWfqVZ0NDO03Aq0A";

fn fixture(users: &str) -> Fixture {
    Fixture::new(&format!("{PROFILE}users: {users}\n"))
}

/// Returns the note on default passwords.
fn defaults(fixture: &Fixture, base: &Memory) -> Option<String> {
    let notes = default_password_notes(&fixture.cluster, base).unwrap();
    assert!(notes.len() <= 1 && !notes.iter().any(cluster_profile::Note::is_hindrance));
    let fix = |note: &cluster_profile::Note| note.fix().expect("a fix");
    notes.first().map(|note| format!("{note}; {}", fix(note)))
}

#[test]
fn default_passwords_are_noted_with_the_line_that_sets_others() {
    let base = sample_base();
    assert_eq!(
        defaults(&Fixture::new(PROFILE), &base).as_deref(),
        Some(
            "default passwords still set: root (`odroid`), odroid (`odroid`); set `users: {root: \
             {password: 'HASH'}, odroid: {password: 'HASH'}}` in the profile, with hashes from \
             `nodecard password`; or `{locked: true}` for users who log in by key only"
        )
    );
    let one = defaults(&fixture("{root: {locked: true}}"), &base).unwrap();
    assert!(
        one.starts_with("default passwords still set: odroid (`odroid`); set `users: {odroid: {"),
        "{one}"
    );
    let both = fixture(&format!("{{root: {{locked: true}}, odroid: {{password: {HASH}}}}}"));
    assert_eq!(defaults(&both, &base), None);
    assert_eq!(defaults(&both, &both.card(&base, 0).unwrap().0), None);
    // A profile accepts the line.
    let line = one.split('`').nth(3).unwrap().replace("HASH", HASH);
    assert_eq!(Fixture::new(&format!("{PROFILE}{line}\n")).cluster.users[0].name, "odroid");
    // A default password that the profile itself gives is noted too.
    let same = fixture(&format!("{{odroid: {{password: {YESCRYPT}}}, root: {{locked: true}}}}"));
    assert!(defaults(&same, &base).unwrap().contains("odroid (`odroid`)"));
    // A file of the profile has the last word.
    let files = "files: [{path: /etc/shadow, content: \"root:*:1::::::\\nodroid::1::::::\\n\"}]\n";
    let by_file = Fixture::new(&format!("{PROFILE}{files}"));
    assert!(defaults(&by_file, &base).unwrap().contains("still set: odroid (no password); "));
    assert_eq!(defaults(&Fixture::new(PROFILE), &debian_networkd()), None);
}

#[test]
fn default_passwords_of_every_method_that_is_tried() {
    use DefaultPassword::{Empty, Word};
    // `openssl passwd -6 -salt samplebase odroid`, and crypt(3) of libxcrypt.
    let sha512 = "$6$samplebase$13jygzIa36kVaVEooWm3IYFoe0Wl0gRnyFftH/6l7mus4W1yZ9w8htJufNt7J\
                  mvduacYru.2J5XD6sq0uETFk1";
    let sha256 = "$5$saltsalt$icX5Mu9/IS6NEkcSm6KC1TOrWj8TO9CZ9XWNKzcmSw8";
    let light = "$y$j75$abcdefgh$hS.8eLcoCL/JDHI5qKujWa5bVrFrJx1BYVWIrU1nT68";
    for hash in [sha512, sha256, YESCRYPT, light] {
        assert_eq!(default_password("root", hash), Some(Word("odroid")), "{hash}");
        assert_eq!(default_password("odroid", hash), Some(Word("odroid")), "{hash}");
        assert_eq!(default_password("pi", hash), None, "{hash}");
    }
    assert_eq!(default_password("root", ""), Some(Empty));
    for odd in [
        "*",
        "!",
        "x",
        "$6$",
        "$6$$",
        "$6$a$b$c$d",
        "$5$x$AAAA",
        "$1$a$b",
        "$y$",
        "$y$j9T$$",
        // Nothing to compare with is no match.
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$",
        "$6$samplebase$",
        // More work than anybody's default.
        "$y$jFT$F5Jx5fExrKuPp53xLKQ..1$O2Sx6PAd7fwbv4Yc4yZZqMeL.eoxWfqVZ0NDO03Aq0A",
        "$y$zzzzz$F5Jx5fExrKuPp53xLKQ..1$O2Sx6PAd7fwbv4Yc4yZZqMeL.eoxWfqVZ0NDO03Aq0A",
    ] {
        assert_eq!(default_password("odroid", odd), None, "{odd}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(prop_oneof![2 => Just(b':'), 2 => Just(b'\n'), 1 => Just(b'$'), 8 => any::<u8>()], 0..200),
        passwd in any::<bool>(),
    ) {
        thread_local!(static FIXTURE: Fixture = Fixture::new(PROFILE));
        let path = if passwd { "/etc/passwd" } else { "/etc/shadow" };
        let base = ubuntu_1604().file(path, &bytes);
        let _ = FIXTURE.with(|fixture| default_password_notes(&fixture.cluster, &base));
        let _ = default_password("root", &String::from_utf8_lossy(&bytes));
    }
}
