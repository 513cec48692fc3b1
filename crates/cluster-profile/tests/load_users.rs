//! What `users:` may say, and that nothing secret is shown of one that may not.

use std::{fs, path::Path};

use cluster_profile::{Cluster, HashError, Password, PasswordHash};

const GOOD: &str = "\
cluster: mc1
base: base.img
card: 8GB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}
nodes: [{name: xu4-node1, address: 192.168.1.81}]
";

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me";

/// Hashes of `odroid` as libxcrypt 4.4 makes them.
const HASHES: [&str; 9] = [
    "$5$saltsalt$icX5Mu9/IS6NEkcSm6KC1TOrWj8TO9CZ9XWNKzcmSw8",
    "$6$saltsalt$Snw.TiuHsGCNhaLrxyRSONp7X48JzQCk.hMMBxYST05dgGSts/GGipzgA52smzWuLZgkj4xTPw02FLhefaiQm0",
    "$6$rounds=5000$saltsalt$Snw.TiuHsGCNhaLrxyRSONp7X48JzQCk.hMMBxYST05dgGSts/GGipzgA52smzWuLZgkj4xTPw02FLhefaiQm0",
    "$6$$XDQxdCZa9REddaAhVPRHXGjNgmERDxVKBhraX6RxP4bUw5nmdXaosVJwDIuuEjzBgOcQh5mI34Va.qfacvgBI1",
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$O2Sx6PAd7fwbv4Yc4yZZqMeL.eoxWfqVZ0NDO03Aq0A",
    "$y$j75$abcdefgh$hS.8eLcoCL/JDHI5qKujWa5bVrFrJx1BYVWIrU1nT68",
    "$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$0njv9KoEiXzOWGsahYWi6ITbbnFka2N5elo2WShvneA",
    "$7$CU..../....saltsalt$ufEnJQ4OvtwTEChDae6QAq9K2hv6XxZf9d4odGcVjWD",
    "$2b$05$abcdefghijklmnopqrstuu0DZ8IpVk0H0OBffKZxAquol3HrBNEdW",
];

fn parse(users: &str) -> Result<Cluster, String> {
    Cluster::parse(&format!("{GOOD}{users}\n"), Path::new("mc1.yaml"))
        .map_err(|error| error.to_string())
}

fn told(users: &str) -> String {
    parse(users).expect_err(users)
}

#[test]
fn users_are_read() {
    let cluster = parse(&format!(
        "ssh: {{users: [root], authorized_keys: [{KEY} of all]}}\n\
         users:\n  root: {{password: {}}}\n  odroid:\n    locked: true\n    \
         authorized_keys: [{KEY}, {KEY}]\n  anna: {{password: '{}'}}",
        HASHES[1], HASHES[4]
    ))
    .unwrap();
    let hash = |hash: &str| Some(Password::Hash(PasswordHash::new(hash).unwrap()));
    let users: Vec<_> =
        cluster.users.iter().map(|user| (user.name.as_str(), user.password.clone())).collect();
    assert_eq!(
        users,
        [("root", hash(HASHES[1])), ("odroid", Some(Password::Locked)), ("anna", hash(HASHES[4]))]
    );
    assert_eq!(cluster.key_users(), ["root", "odroid"]);
    assert_eq!(cluster.authorized_keys("root"), [format!("{KEY} of all")]);
    assert_eq!(cluster.authorized_keys("odroid"), [KEY]);
    assert!(cluster.authorized_keys("anna").is_empty());
    assert!(!format!("{cluster:?}").contains("$6$"), "hashes are not for debug output");
    assert!(parse("users:").unwrap().users.is_empty());
}

#[test]
fn key_files_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("mc1.yaml");
    fs::write(directory.path().join("anna.pub"), format!("{KEY}\n")).unwrap();
    fs::write(&profile, format!("{GOOD}users: {{anna: {{authorized_keys: anna.pub}}}}\n")).unwrap();
    assert_eq!(Cluster::load(&profile).unwrap().users[0].authorized_keys, [KEY]);
    let none = told("users: {anna: {authorized_keys: [none.pub]}}");
    assert!(none.starts_with("mc1.yaml:6:34: cannot read none.pub"), "{none}");
}

#[test]
fn users_that_cannot_be_are_told() {
    for (users, place, message) in [
        ("users: [root]", "6:8", "`users` maps login names to what they get and is not a list"),
        ("users: {root: }", "6:13", "a user is a mapping of keys to values, not nothing"),
        ("users: {root: {}}", "6:9", "nothing is said of root"),
        ("users: {root: {password: }}", "6:9", "nothing is said of root"),
        ("users: {'a b': {locked: true}}", "6:9", "\"a b\" is no user's name"),
        ("users: {root: {locked: false}}", "6:24", "`locked` is `true` or left out"),
        ("users: {root: {lokced: true}}", "6:16", "unknown key `lokced`"),
        ("users: {root: {password: ''}}", "6:26", "an empty password would let anybody log in"),
        ("users: {root: {password: [a]}}", "6:26", "`password` wants a single value, not a list"),
        ("users: {root: {locked: true}, root: {locked: true}}", "6:31", "duplicate mapping key"),
    ] {
        let told = told(users);
        assert!(told.starts_with(&format!("mc1.yaml:{place}: {message}")), "{told}");
    }
    let both = told(&format!("users: {{root: {{password: {}, locked: true}}}}", HASHES[0]));
    assert!(
        both.starts_with("mc1.yaml:6:91: a user has either `password` or `locked`, not both\n"),
        "{both}"
    );
    assert!(both.contains("mc1.yaml:6:26: the password\n"), "{both}");
    assert!(!both.contains("icX5Mu9"), "{both}");
}

#[test]
fn a_password_is_refused_and_never_shown() {
    assert_eq!(
        told("users: {root: {password: hunter2}, a: {locked: yes}}"),
        "mc1.yaml:6:26: this is not the hash of a password\n  \
         6 | users: {root: {password: *******}, a: {locked: yes}}\n    \
           |                          ^^^^^^^\n  \
         help: make a hash with `openssl passwd -6`, and write it in single quotes\n\
         mc1.yaml:6:48: `locked` is `true` or left out\n  \
         6 | users: {root: {password: *******}, a: {locked: yes}}\n    \
           |                                                ^^^\n  \
         help: remove the key for a user whose password stays as it is in the image"
    );
    // Wherever it stands, and whatever else is wrong.
    for users in [
        "users: {root: hunter2}",
        "users: {root: {pasword: hunter2}}",
        "users: {root: {password: [hunter2]}}",
        "users: {root: {password: {hunter2: hunter2}}}",
        "users:\n  root:\n    password: |\n      hunter2\n",
        "users:\n  root:\n    password: \"hunter2\"\n    lokced: true",
        "users: [{root: {password: hunter2}}]",
        "users: [{root: hunter2}]",
        "user: {root: {password: hunter2}}",
        "x: &x hunter2\nusers: {root: {password: *x}}",
        "users: {root: {password: ähunter2→, lokced: 1}}",
        // No YAML at all.
        "users: {root: {password: hunter2: x}}",
        "users: {root: {password: \"hunter2}}",
        "users: {root: {password: *hunter2}}",
        "users: {root: {password: !hunter2 x}}",
        "users: {root: {password: !hunter2}}",
        "users:\n  root:\n    password: &hunter2 x\n    lokced: true",
        "users: {root: {password: @hunter2}}",
        "users: {root: {password: %hunter2}}",
        "users: {root: {password: `hunter2}}",
        "users:\n  root: {'password' : hunter2",
        "users:\n  root: {password: hunter2\nfiles: x}",
    ] {
        let told = told(users);
        // Keys are shown.
        let told = told.replace("unknown key `hunter2`", "");
        assert!(!told.contains("hunter2"), "{users}: {told}");
    }
}

#[test]
fn hashes_of_every_method_are_taken_and_broken_ones_told() {
    for hash in HASHES {
        assert_eq!(PasswordHash::new(hash).unwrap().as_str(), hash);
        let quoted = parse(&format!("users: {{root: {{password: '{hash}'}}}}")).unwrap();
        let plain = parse(&format!("users: {{root: {{password: {hash}}}}}")).unwrap();
        assert_eq!(quoted.users, plain.users);
        // Cut anywhere, as by a shell that took $ for its own, or with more behind.
        for end in 3..hash.len() {
            let cut = PasswordHash::new(&hash[..end]);
            assert!(cut.is_err(), "{}", &hash[..end]);
        }
        for odd in ["x", "$", ":", "\n", " ", "$x", "ä"] {
            assert!(PasswordHash::new(&format!("{hash}{odd}")).is_err(), "{hash}{odd}");
        }
    }
    assert!(matches!(PasswordHash::new(&HASHES[1][..40]), Err(HashError::Cut("$6$"))));
    assert!(matches!(
        PasswordHash::new("$1$saltsalt$ei5cacyx5xG1AhwZPTaNy."),
        Err(HashError::Method("$1$", _))
    ));
    for none in ["odroid", "ab1uBUsBZ5RzI", "*", "!", "x", "$", "$$", "$9$a$b", "12345"] {
        assert_eq!(PasswordHash::new(none), Err(HashError::NoHash), "{none}");
    }
    let long =
        format!("$7$CU..../....{}$ufEnJQ4OvtwTEChDae6QAq9K2hv6XxZf9d4odGcVjWD", "s".repeat(400));
    assert_eq!(PasswordHash::new(&long), Err(HashError::NoHash));
    let weak = told("users: {root: {password: $1$saltsalt$ei5cacyx5xG1AhwZPTaNy.}}");
    assert!(
        weak.starts_with("mc1.yaml:6:26: hashes of the method $1$ are not accepted: MD5 hashes"),
        "{weak}"
    );
    assert!(!weak.contains("ei5cacyx5xG1"), "{weak}");
}
