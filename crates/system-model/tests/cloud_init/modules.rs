//! What is said to change is what cloud-init's own modules change, for each system of a table.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use system_model::{BootModel, Effect, MemoryFiles};

#[path = "../common/tables.rs"]
mod tables;

/// What each system has unless its case says otherwise.
const BASE: &[(&str, &str)] = &[
    ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("/etc/hostname", "n1\n"),
    ("/etc/passwd", "root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/sh\n"),
    ("/etc/shadow", "root:!:1::::::\npi:x:1::::::\n"),
    ("/etc/ssh/ssh_host_ed25519_key", "k"),
    ("/boot/firmware/cmdline.txt", "root=/dev/x\n"),
    (
        "/etc/cloud/cloud.cfg",
        "users: [default]\ndatasource_list: [NoCloud, None]\n\
         cloud_init_modules: [bootcmd, write-files, growpart, resizefs, mounts, set_hostname, \
         update_hostname, update_etc_hosts, users-groups, ssh, seed_random]\n\
         cloud_config_modules: [set-passwords, runcmd, snap]\n\
         cloud_final_modules: [write_files_deferred, scripts-vendor, scripts-per-once, \
         scripts-per-boot, scripts-per-instance, scripts-user]\n\
         system_info: {distro: debian, default_user: {name: debian, lock_passwd: true}}\n",
    ),
];

/// Returns what the model says, in the words of the judge.
fn ours(files: &MemoryFiles) -> (BTreeSet<String>, bool) {
    let model = BootModel::read(files).unwrap();
    let cloud_init = model.cloud_init().unwrap();
    let mut notes = BTreeSet::new();
    for change in cloud_init.changes() {
        notes.insert(format!("{:?}", change.effect));
        if change.effect == Effect::Users {
            notes.extend(change.new_user.as_ref().map(|name| format!("new {name}")));
        }
    }
    notes.extend(cloud_init.passwords().iter().map(|one| format!("password {}", one.user)));
    (notes, !cloud_init.unreadable().is_empty())
}

#[test]
fn changes_are_those_of_the_modules_of_cloud_init() {
    let Some((python, package)) = crate::judge() else { return };
    let directory = tempfile::tempdir().unwrap();
    let cases = tables::cases(include_str!("cases.txt"));
    let mut input = String::new();
    let mut models = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let root = directory.path().join(number.to_string());
        let mut files = MemoryFiles::new();
        files.boot_partition(1, "/boot/firmware");
        let base = BASE.iter().map(|(path, text)| (*path, (*text).to_owned()));
        let mut line = String::new();
        for (path, text) in
            base.chain(case.iter().cloned()).filter(|(path, _)| !MARKS.contains(path))
        {
            // A line with nothing but `\n` would end the case.
            let text = text.replace("\\n\n", "\n\n");
            let (path, bytes) = match path.split_once(" (") {
                Some((path, "gzip)")) => (path, gzip(text.as_bytes())),
                // As something that fills a block leaves it.
                Some((path, "gzip and zeros)")) => {
                    (path, [gzip(text.as_bytes()), vec![0; 100]].concat())
                }
                _ => (path, text.clone().into_bytes()),
            };
            let on_disk = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(on_disk.parent().unwrap()).unwrap();
            fs::write(&on_disk, &bytes).unwrap();
            files.write(path, bytes);
            if text.starts_with("#!") && !path.starts_with("/boot") {
                fs::set_permissions(on_disk, fs::Permissions::from_mode(0o755)).unwrap();
                files.own(path, 0o755, 0, 0);
            }
            if path.ends_with("/cmdline.txt") {
                line = text.trim().to_owned();
            }
        }
        input += &format!("{}\t{line}\n", root.display());
        models.push(ours(&files));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud_init/modules.py");
    let roots = directory.path().join("roots");
    fs::write(&roots, input).unwrap();
    let output = Command::new(python)
        .args([&script, &package])
        .stdin(Stdio::from(fs::File::open(roots).unwrap()))
        .output()
        .unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(theirs.lines().count(), cases.len(), "{errors}");
    let mut wrong = String::new();
    for ((theirs, (ours, unread)), case) in theirs.lines().zip(&models).zip(&cases) {
        let theirs: BTreeSet<String> = serde_json::from_str(theirs).unwrap();
        let expects_unread = case.iter().any(|(path, _)| *path == UNREAD);
        let is_newer = case.iter().any(|(path, _)| *path == NEWER);
        let is_right =
            if is_newer { theirs.is_subset(ours) && theirs != *ours } else { theirs == *ours };
        if *unread != expects_unread || (!unread && !is_right) {
            wrong += &format!("{case:?}\n  theirs {theirs:?}\n  ours   {ours:?} {unread}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{errors}");
    println!("{} systems changed as cloud-init's modules change them", cases.len());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Marks a case whose user-data the model is to name as one that it cannot read.
const UNREAD: &str = "unreadable";

/// Marks a case in which versions of cloud-init after the judge's change more.
const NEWER: &str = "newer";

const MARKS: [&str; 2] = [UNREAD, NEWER];
