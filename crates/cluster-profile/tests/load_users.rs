//! Users in profiles. Problems in them are reported without showing passwords or hashes.

mod common;

use std::fs;

use cluster_profile::{Cluster, Diagnostics, HashError, Password, PasswordHash};
use common::profiles::{self, profile, summary};

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

fn with_users(users: &str) -> String {
    profile(&["{name: xu4-node1, address: 192.168.1.81}"]) + users + "\n"
}

fn parse(users: &str) -> Result<Cluster, Diagnostics> {
    profiles::parse(&with_users(users))
}

fn problems(users: &str) -> Diagnostics {
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
    let path = directory.path().join("mc1.yaml");
    fs::write(directory.path().join("anna.pub"), format!("{KEY}\n")).unwrap();
    fs::write(&path, with_users("users: {anna: {authorized_keys: anna.pub}}")).unwrap();
    assert_eq!(Cluster::load(&path).unwrap().users[0].authorized_keys, [KEY]);
    let none = problems("users: {anna: {authorized_keys: [none.pub]}}");
    assert!(summary(&none).starts_with("7:34: there is no file none.pub"), "{none}");
}

#[test]
fn invalid_users_are_reported() {
    for (users, place, message) in [
        (
            "users: [root]",
            "7:8",
            "`users` must be a mapping of login names to settings, not a list",
        ),
        ("users: {root: }", "7:13", "a user must be a mapping of keys to values, not nothing"),
        ("users: {root: {}}", "7:9", "root has no settings"),
        ("users: {root: {password: }}", "7:9", "root has no settings"),
        ("users: {'a b': {locked: true}}", "7:9", "\"a b\" is not a user name"),
        ("users: {root: {locked: false}}", "7:24", "`locked` can only be `true`"),
        ("users: {root: {lokced: true}}", "7:16", "unknown key `lokced`"),
        ("users: {root: {password: ''}}", "7:26", &HashError::Empty.to_string()),
        ("users: {root: {password: [a]}}", "7:26", "`password` must be a single value, not a list"),
        (
            "users: {root: {locked: true}, root: {locked: true}}",
            "7:31",
            "the key `root` appears twice",
        ),
    ] {
        let problems = problems(users);
        let summary = summary(&problems);
        assert!(summary.starts_with(&format!("{place}: {message}")), "{problems}");
    }
    let both = problems(&format!("users: {{root: {{password: {}, locked: true}}}}", HASHES[0]));
    assert_eq!(summary(&both), "7:91: a user cannot have both `password` and `locked`");
    let password = &both.problems[0].related[0];
    assert_eq!((password.place.line, password.place.column), (7, 26));
    assert_eq!(password.label, "the password is set here");
    assert!(!both.to_string().contains("icX5Mu9"), "{both}");
}

#[test]
fn a_password_is_rejected_and_never_shown() {
    let message = HashError::NoHash;
    assert_eq!(
        problems("users: {root: {password: hunter2}, a: {locked: no}}").to_string(),
        format!(
            "error: {message}\n \
             --> mc1.yaml:7:26\n  \
               |\n\
             7 | users: {{root: {{password: *******}}, a: {{locked: no}}}}\n  \
               |                          ^^^^^^^\n  \
               |\n  \
               = help: do not write the password itself: make a hash with `nodecard password`, and write it in single quotes\n\
             \n\
             error: `locked` can only be `true`\n \
             --> mc1.yaml:7:48\n  \
               |\n\
             7 | users: {{root: {{password: *******}}, a: {{locked: no}}}}\n  \
               |                                                ^^\n  \
               |\n  \
               = help: remove `locked` to keep the password of the image"
        )
    );
    // Wherever it is written, and whatever else is wrong.
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
        // Not valid YAML.
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
        let problems = problems(users);
        // The text is masked, not only the lines of it that are shown.
        let shown = format!("{problems}\n{}\n{}", problems.text, problems.to_styled_string());
        // Keys are shown.
        let shown = shown.replace("unknown key `hunter2`", "");
        assert!(!shown.contains("hunter2"), "{users}: {shown}");
    }
}

#[test]
fn hashes_of_every_method_are_accepted_and_broken_ones_reported() {
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
    assert!(matches!(PasswordHash::new(&HASHES[1][..40]), Err(HashError::Incomplete("$6$"))));
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
    let weak = problems("users: {root: {password: $1$saltsalt$ei5cacyx5xG1AhwZPTaNy.}}");
    let message = PasswordHash::new("$1$").unwrap_err();
    assert_eq!(summary(&weak), format!("7:26: {message}"));
    assert!(message.to_string().contains("$1$"), "{message}");
    assert!(!weak.to_string().contains("ei5cacyx5xG1"), "{weak}");
}
