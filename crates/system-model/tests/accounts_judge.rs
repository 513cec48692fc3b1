//! Drawn passwd, group and shadow files, compared with what the C library reads (getent),
//! as root in a namespace of its own.

mod common;

use std::{fs, process::Command};

use common::{Draw, cases, program, run};
use system_model::{MemoryFiles, accounts::Accounts};

fn field(draw: &mut Draw) -> &'static str {
    draw.of(&["1000", "0", "65534", "", "x", "-1", "99999999999", " 7", "+5", "12a", "0x10"])
}

fn line(draw: &mut Draw, kind: usize) -> String {
    let name =
        draw.of(&["root", "pi", "pi", "#pi", "+", "-pi", "+@nis", " odroid", "", "a b", "daemon"]);
    if draw.one_in(3) {
        // A right line.
        let number = draw.number(2000);
        return match kind {
            0 => format!("{name}:x:{number}:{number}:Pi,,,:/home/pi:/bin/bash\n"),
            1 => format!("{name}:x:{number}:root, pi,,daemon\n"),
            _ => format!(
                "{name}:*:{number}:0:99999:7:{}:{}:\n",
                draw.of(&["", "3"]),
                draw.of(&["", "100", "20000"])
            ),
        };
    }
    let mut text = name.to_owned();
    for _ in 0..draw.number(9) {
        text.push(':');
        text.push_str(field(draw));
    }
    text.push_str(draw.of(&["\n", "\n", "\r\n", " \n", "\n\n"]));
    text
}

#[test]
fn drawn_files_read_as_the_c_library_reads_them() {
    program(&["getent"], "libc-bin");
    let unshare = program(&["unshare"], "util-linux");
    if !run(Command::new(&unshare).args(["-m", "true"])).status.success() {
        test_support::not_judged("the C library was not asked: that needs root");
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    let base = work.path().to_str().expect("UTF-8");
    let count = cases(60);
    // getent reads this machine's own paths: each file is mounted over them in turn.
    let script = "cd \"$1\" || exit 9; for n in $(seq 0 $(($2 - 1))); do \
                  for f in passwd group shadow; do mount --bind $n.$f /etc/$f || exit 9; \
                  getent -s files $f > $n.$f.out; umount /etc/$f; done; done; exit 0";
    for seed in 0..count {
        let mut draw = Draw::new(seed + 5);
        for (kind, name) in ["passwd", "group", "shadow"].into_iter().enumerate() {
            let text: String = (0..draw.number(25) + 1).map(|_| line(&mut draw, kind)).collect();
            fs::write(format!("{base}/{seed}.{name}"), text).expect("written");
        }
    }
    let output = run(Command::new(&unshare)
        .args(["-m", "sh", "-c", script, "sh", base])
        .arg(count.to_string()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut entries = 0;
    for seed in 0..count {
        let mut files = MemoryFiles::new();
        let read =
            |name: &str| fs::read_to_string(format!("{base}/{seed}.{name}")).expect("readable");
        for name in ["passwd", "group", "shadow"] {
            files.write(&format!("/etc/{name}"), read(name));
        }
        let accounts = Accounts::read(&files).expect("readable");
        let theirs = |name: &str| -> Vec<String> {
            let text = read(&format!("{name}.out"));
            text.split('\n')
                .filter(|l| !l.is_empty() && !l.starts_with(['+', '-']))
                .map(str::to_owned)
                .collect()
        };
        let users: Vec<String> = accounts
            .users()
            .iter()
            .filter(|user| !user.shell.contains(':'))
            .map(|u| {
                format!(
                    "{}:{}:{}:{}:{}:{}:{}",
                    u.name, u.password, u.uid, u.gid, u.comment, u.home, u.shell
                )
            })
            .collect();
        assert_eq!(users, theirs("passwd"), "{}", read("passwd"));
        // getent prints no entry whose last field has a colon, though the library reads it.
        let groups: Vec<String> = accounts
            .groups()
            .iter()
            .filter(|group| group.members.iter().all(|member| !member.contains(':')))
            .map(|g| format!("{}:{}:{}", g.name, g.gid, g.members.join(",")))
            .collect();
        let expected: Vec<String> = theirs("group")
            .iter()
            .map(|line| {
                let fields: Vec<&str> = line.splitn(4, ':').collect();
                format!("{}:{}:{}", fields[0], fields[2], fields[3])
            })
            .collect();
        assert_eq!(groups, expected, "{}", read("group"));
        for line in theirs("shadow") {
            let name = line.split(':').next().expect("a name");
            assert!(accounts.shadow(name).is_some(), "{line}\n{}", read("shadow"));
        }
        let mut seen = std::collections::BTreeSet::new();
        for line in theirs("shadow") {
            let f: Vec<&str> = line.split(':').collect();
            if !seen.insert(f[0].to_owned()) {
                continue;
            }
            let ours = accounts.shadow(f[0]).expect("found above");
            let shown = |value: Option<i32>| {
                value.filter(|v| *v != -1).map_or(String::new(), |v| v.to_string())
            };
            let wanted: Vec<String> =
                [ours.last_change, ours.maximum, ours.inactive, ours.expires].map(shown).into();
            assert_eq!(wanted, [f[2], f[4], f[6], f[7]], "{line}\n{}", read("shadow"));
        }
        entries += users.len() + groups.len() + seen.len();
    }
    println!("{entries} entries of {count} drawn systems were the same");
    assert!(entries > 200);
}
