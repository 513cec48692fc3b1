//! Users that the profile makes, judged by pwck, grpck and visudo.

mod common;

use std::{fs, path::Path, process::Command};

use cluster_profile::RenderError;
use common::{Fixture, Item, Memory, PROFILE, profiles, ubuntu_1604};

const HASH: &str = "$6$saltsalt$MyZEicwklUInnzlwTHrN6tX9kgG.9zZodQh4HPYZf8mXzTbYh.Hc1zeg79WHZdhCtDh69AOruPUbmzsnlQ/nc/";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti anna";

fn fixture(users: &str) -> Fixture {
    Fixture::new(&format!("{PROFILE}users: {users}\n"))
}

/// The article's image with what making users needs.
fn base() -> Memory {
    ubuntu_1604()
        .file("/bin/bash", "")
        .file("/bin/sh", "")
        .file("/usr/bin/sudo", "")
        .file("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nodroid:x:1000:1001::/home/odroid:/bin/bash\n",
        )
        .file("/etc/group", "root:x:0:\nadm:x:4:odroid\nsudo:x:27:\nodroid:x:1001:\n")
        .file("/etc/gshadow", "root:*::\nadm:*::odroid\nsudo:*::\nodroid:!::\n")
        .file("/etc/shadow", "root:*:17000:0:99999:7:::\nodroid:*:17000:0:99999:7:::\n")
        .with_mode("/etc/shadow", 0o640)
        .file("/etc/skel/.bashrc", "# bash\n")
        .file("/etc/skel/.config/x", "y\n")
        .link("/etc/skel/link", "/etc/motd")
}

fn judge(program: &str, package: &str, arguments: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program} ({error}): install {package}"));
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// pwck and grpck must find nothing but homes and shells that this machine does not have.
fn assert_consistent(card: &Memory) {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str| {
        let path = directory.path().join(name);
        fs::write(&path, card.text(&format!("/etc/{name}"))).unwrap();
        path.display().to_string()
    };
    let [passwd, shadow, group, gshadow] = ["passwd", "shadow", "group", "gshadow"].map(put);
    let users = judge("pwck", "passwd", &["-r", &passwd, &shadow]);
    // pwck looks up primary groups on this machine.
    let quiet = |line: &&str| {
        line.is_empty()
            || line.contains("does not exist")
            || line.contains("no changes")
            || line.contains("no group")
    };
    let said: Vec<&str> = users.lines().filter(|line| !quiet(line)).collect();
    assert_eq!(said, [""; 0], "{users}");
    let groups = judge("grpck", "passwd", &["-r", &group, &gshadow]);
    // It looks members up on this machine.
    let said: Vec<&str> = groups
        .lines()
        .filter(|line| {
            !quiet(line) && !line.contains("no user") && !line.starts_with("delete member")
        })
        .collect();
    assert_eq!(said, [""; 0], "{groups}");
}

fn assert_sudoers(card: &Memory, path: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sudoers");
    fs::write(&file, card.text(path)).unwrap();
    let said = judge("visudo", "sudo", &["-c", "-f", file.to_str().unwrap()]);
    assert!(said.contains("parsed OK"), "{said}");
    assert!(Path::new(path).file_name().is_some_and(|name| !name.to_string_lossy().contains('.')));
}

#[test]
fn a_user_is_made() {
    let fixture = fixture(&format!(
        "{{ubuntu: {{create: true, groups: [sudo, adm], shell: /bin/bash, sudo: nopasswd, \
         password: {HASH}, authorized_keys: [{KEY}]}}}}"
    ));
    let (card, notes) = fixture.settled(&base(), 1);
    let last = |path: &str| card.text(path).lines().last().unwrap().to_owned();
    // 1000 is odroid's, 1001 its group's.
    assert_eq!(last("/etc/passwd"), "ubuntu:x:1002:1002::/home/ubuntu:/bin/bash");
    assert_eq!(last("/etc/shadow"), format!("ubuntu:{HASH}:19675:0:99999:7:::"));
    assert_eq!(
        card.text("/etc/group"),
        "root:x:0:\nadm:x:4:odroid,ubuntu\nsudo:x:27:ubuntu\nodroid:x:1001:\nubuntu:x:1002:\n"
    );
    assert_eq!(
        card.text("/etc/gshadow"),
        "root:*::\nadm:*::odroid,ubuntu\nsudo:*::ubuntu\nodroid:!::\nubuntu:!::\n"
    );
    assert_consistent(&card);
    assert_eq!(card.mode("/etc/shadow"), (0o640, (0, 0)));
    assert_eq!(card.mode("/home/ubuntu"), (0o750, (1002, 1002)));
    assert_eq!(card.text("/home/ubuntu/.bashrc"), "# bash\n");
    assert_eq!(card.mode("/home/ubuntu/.config/x"), (0o644, (1002, 1002)));
    assert_eq!(card.mode("/home/ubuntu/.config"), (0o755, (1002, 1002)));
    assert_eq!(card.0["/home/ubuntu/link"], Item::Symlink("/etc/motd".into()));
    assert_eq!(card.mode("/home/ubuntu/.ssh/authorized_keys"), (0o600, (1002, 1002)));
    assert!(card.text("/home/ubuntu/.ssh/authorized_keys").contains(KEY));
    assert_eq!(card.mode("/etc/sudoers.d/nodecard-ubuntu"), (0o440, (0, 0)));
    assert_sudoers(&card, "/etc/sudoers.d/nodecard-ubuntu");
    assert!(!notes.iter().any(|note| note.contains("sudo")), "{notes:?}");
}

#[test]
fn numbers_shells_and_names_are_chosen() {
    let fixture = Fixture::new(&format!(
        "{}users: {{a.b: {{create: true, uid: 1001, sudo: nopasswd}}, c: {{create: true}}, \
         adm: {{create: true}}}}\nfiles: [{{path: /etc/x, content: x, owner: c}}]\n",
        PROFILE.replace("[root, odroid]", "[root, c]")
    ));
    let (card, _) = fixture.settled(&base(), 0);
    let passwd = card.text("/etc/passwd");
    let new: Vec<&str> = passwd.lines().skip(2).collect();
    assert_eq!(
        new,
        [
            // The group 1001 is odroid's.
            "a.b:x:1001:1002::/home/a.b:/bin/bash",
            "c:x:1003:1003::/home/c:/bin/bash",
            // There is a group of this name.
            "adm:x:1004:4::/home/adm:/bin/bash",
        ]
    );
    assert!(
        card.text("/etc/shadow")
            .ends_with("\na.b:*::0:99999:7:::\nc:*::0:99999:7:::\nadm:*::0:99999:7:::\n")
    );
    assert_consistent(&card);
    assert_sudoers(&card, "/etc/sudoers.d/nodecard-a_b");
    assert_eq!(card.mode("/etc/x"), (0o644, (1003, 1003)));
    assert_eq!(card.mode("/home/c/.ssh/id_ed25519"), (0o600, (1003, 1003)));
}

#[test]
fn a_user_of_the_image_gets_groups_and_a_shell() {
    let fixture = fixture("{odroid: {create: true, groups: [sudo, adm], shell: /bin/sh}}");
    let (card, _) = fixture.settled(&base(), 0);
    assert!(card.text("/etc/passwd").ends_with("odroid:x:1000:1001::/home/odroid:/bin/sh\n"));
    assert!(card.text("/etc/group").contains("adm:x:4:odroid\nsudo:x:27:odroid\n"));
    assert!(!card.has("/home/odroid/.bashrc"), "an old home gets no skeleton");
    assert_consistent(&card);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let error = |users: &str| fixture(users).shared(&base()).unwrap_err();
    assert!(matches!(error("{odroid: {create: true, uid: 5}}"), RenderError::OtherUid { .. }));
    assert!(matches!(error("{a: {create: true, uid: 1000}}"), RenderError::TakenUid { .. }));
    let group = error("{a: {create: true, groups: [gpio]}}");
    assert!(matches!(group, RenderError::UnknownGroup { .. }));
    let shell = error("{a: {create: true, shell: /bin/zsh}}");
    assert!(matches!(shell, RenderError::NoShell { .. }));
    for error in [group, shell, error("{a: {locked: true}}"), error("{a: {groups: [sudo]}}")] {
        assert!(error.fix().is_some(), "{error}");
    }
    let fix = error("{ubuntu: {locked: true}}").fix().unwrap();
    assert!(fix.contains("`users: {ubuntu: {create: true}}`"), "{fix}");
}

#[test]
fn mistakes_in_the_profile_are_reported() {
    for (user, message) in [
        ("{create: false}", "`create` can only be `true`"),
        ("{create: true, sudo: yes}", "`sudo` can only be `nopasswd`"),
        ("{create: true, shell: bash}", "\"bash\" is not the path of a shell"),
        ("{create: true, groups: ['a:b']}", "\"a:b\" is not the name of a group"),
        ("{create: true, uid: 0}", "\"0\" is not the number of a user"),
        ("{locked: true, uid: 1001}", "`uid` needs `create`"),
    ] {
        let text = profiles::profile(&["{name: xu4-node1, address: 192.168.1.81}"])
            + &format!("users: {{a: {user}}}\n");
        let problems = profiles::parse(&text).expect_err(user);
        let summary = profiles::summary(&problems);
        assert!(summary.contains(message), "{user}: {summary}");
    }
}
