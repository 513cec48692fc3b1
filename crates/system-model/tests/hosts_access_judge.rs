//! /etc/hosts.allow and /etc/hosts.deny, drawn and at the limits of a line, judged by libwrap
//! itself, through tcpdmatch.

mod common;

use std::{fs, process::Command};

use common::{Draw, cases, program, run};
use system_model::{
    MemoryFiles,
    sshd::{Client, SshServer, refused_clients},
};

fn line(draw: &mut Draw) -> String {
    let daemons = draw.of(&["sshd", "ALL", "in.telnetd", "sshd, in.ftpd", "ALL EXCEPT sshd", "s*"]);
    let clients = draw.of(&[
        "ALL",
        "10.0.0.7",
        "10.0.0.",
        "10.0.1.",
        "10.0.0.0/24",
        "10.0.0.0/255.255.255.248",
        "10.0.0.8",
        "ALL EXCEPT 10.0.0.7",
        "ALL EXCEPT 10.0.0. EXCEPT 10.0.0.7",
        "10.0.0.?",
        "10.0.*",
    ]);
    let option = draw.of(&["", "", "", ": allow", ": deny", ": severity info : deny"]);
    let rest = draw.of(&["", "", " \\\n", "\t"]);
    match draw.number(9) {
        0 => "# ALL: ALL\n".to_owned(),
        1 => "\n".to_owned(),
        2 => "no colon\n".to_owned(),
        _ => format!("{daemons}: {clients}{option}{rest}\n"),
    }
}

fn text(draw: &mut Draw) -> String {
    let mut text = String::new();
    for _ in 0..draw.number(4) {
        text.push_str(&line(draw));
        // Lines about as long as libwrap reads.
        if draw.one_in(8) {
            text.push_str(&format!("in.ftpd: {}\n", "x".repeat(2030 + draw.number(20))));
        }
    }
    if draw.one_in(8) {
        text.pop();
    }
    text
}

#[test]
fn drawn_files_are_decided_as_libwrap_does() {
    let tcpdmatch = program(&["tcpdmatch"], "tcpd");
    let work = tempfile::tempdir().expect("a directory");
    let (mut denied, mut wrong) = (0, Vec::new());
    let count = cases(400);
    for seed in 0..count {
        let mut draw = Draw::new(seed + 11);
        let (allow, deny) = (text(&mut draw), text(&mut draw));
        fs::write(work.path().join("hosts.allow"), &allow).expect("written");
        fs::write(work.path().join("hosts.deny"), &deny).expect("written");
        let output =
            run(Command::new(&tcpdmatch).args(["-d", "sshd", "10.0.0.7"]).current_dir(work.path()));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let theirs = said.contains("denied");
        assert!(theirs || said.contains("granted"), "{said}");
        let mut files = MemoryFiles::new();
        files.write("/etc/hosts.allow", &allow).write("/etc/hosts.deny", &deny);
        files.write("/var/lib/dpkg/status", "Package: openssh-server\nDepends: libwrap0\n");
        let client = Client { address: [10, 0, 0, 7].into(), name: None };
        let found = refused_clients(&files, SshServer::OpenSsh, &[client]).expect("readable");
        denied += u64::from(theirs);
        if theirs == found.is_empty() || found.iter().any(|(_, certain)| !certain) {
            wrong.push(format!("libwrap denies: {theirs}, {found:?}\n{allow:?}\n{deny:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{denied} of {count} connections were denied by both");
    assert!(denied > count / 10 && denied < count, "{denied}");
}
