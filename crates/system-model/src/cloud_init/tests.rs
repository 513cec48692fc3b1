use super::*;
use crate::{BootModel, Effect, MemoryFiles};

fn base() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    files.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    files.write("/etc/hostname", "n1\n");
    files.write("/etc/passwd", "root:x:0:0::/root:/bin/bash\n");
    files.write("/etc/ssh/ssh_host_ed25519_key", "k");
    files.write(
        "/etc/cloud/cloud.cfg",
        "users: [default]\npreserve_hostname: false\ncloud_init_modules:\n - bootcmd\n \
         - write-files\n - growpart\n - resizefs\n - set_hostname\n - update_hostname\n \
         - update_etc_hosts\n - users-groups\n - ssh\ncloud_config_modules: [set-passwords, runcmd]\n\
         cloud_final_modules: [scripts-per-boot, scripts-user]\n\
         system_info: {distro: debian, default_user: {name: debian, lock_passwd: true}}\n",
    );
    files.boot_partition(1, "/boot/firmware");
    files
}

fn changes(files: &MemoryFiles) -> Vec<(Effect, String)> {
    let model = BootModel::read(files).unwrap();
    let cloud_init = model.cloud_init().unwrap();
    let one = |change: &CloudChange| (change.effect, change.location.to_string());
    cloud_init.changes().iter().map(one).collect()
}

const TAMED: &str = "network: {config: disabled}\npreserve_hostname: true\nmanage_etc_hosts: false\n\
                     ssh_deletekeys: false\nssh_genkeytypes: [ed25519]\ngrowpart: {mode: 'off'}\n\
                     resize_rootfs: false\nusers: []\n";

#[test]
fn defaults_change_most_things() {
    let effects: Vec<Effect> = changes(&base()).into_iter().map(|(effect, _)| effect).collect();
    for wanted in [Effect::Address, Effect::Sizes, Effect::HostKeys, Effect::Users] {
        assert!(effects.contains(&wanted), "{wanted}");
    }
    assert!(!effects.contains(&Effect::HostName) && !effects.contains(&Effect::Hosts));
}

#[test]
fn a_tamed_system_changes_nothing_until_user_data_says_otherwise() {
    let mut files = base();
    files.write("/etc/cloud/cloud.cfg.d/99-x.cfg", TAMED);
    assert_eq!(changes(&files), []);
    // `99_` sorts behind `99-`, so it wins.
    files.write("/etc/cloud/cloud.cfg.d/99_y.cfg", "resize_rootfs: true\n");
    assert_eq!(
        changes(&files),
        [(Effect::Sizes, "/etc/cloud/cloud.cfg.d/99_y.cfg, line 1".to_owned())]
    );
    files.remove("/etc/cloud/cloud.cfg.d/99_y.cfg");
    files.write("/boot/firmware/meta-data", "instance-id: x\n");
    files.write(
        "/boot/firmware/user-data",
        "#cloud-config\nhostname: pi\npreserve_hostname: false\nmanage_etc_hosts: true\n\
         ssh_deletekeys: true\nusers:\n- name: lab\nchpasswd: {list: ['root:x']}\nruncmd:\n\
         - echo hello\n- [sh, -c, 'rm -f /etc/machine-id']\n",
    );
    let path = "/boot/firmware/user-data, line";
    let expected = [
        (Effect::HostName, format!("{path} 2")),
        (Effect::Hosts, format!("{path} 4")),
        (Effect::Users, format!("{path} 6")),
        (Effect::HostKeys, format!("{path} 5")),
        (Effect::Passwords, format!("{path} 8")),
        (Effect::MachineId, format!("{path} 9")),
    ];
    assert_eq!(changes(&files), expected);
    files.write("/etc/cloud/cloud-init.disabled", "");
    assert_eq!(changes(&files), []);
}

#[test]
fn off_by_argument_by_mask_and_by_stage() {
    let mut files = base();
    files.write("/boot/firmware/cmdline.txt", "root=/dev/x cloud-init=disabled\n");
    assert_eq!(changes(&files), []);
    let mut files = base();
    files.symlink("/etc/systemd/system/cloud-init.target", "/dev/null");
    assert_eq!(changes(&files), []);
    let mut files = base();
    files.symlink("/etc/systemd/system/cloud-init.service", "/dev/null");
    // What is done before all modules is not a module's.
    assert_eq!(changes(&files).len(), 1);
}

#[test]
fn seeds_are_found_by_directory_setting_and_argument() {
    let text = "#cloud-config\nhostname: pi\n";
    for (write, line) in [
        ("/var/lib/cloud/seed/nocloud/user-data", "ds=nocloud;i=1\n"),
        ("/srv/seed/user-data", "ds=nocloud;s=/srv/seed/;i=1\n"),
    ] {
        let mut files = base();
        files.write(
            "/etc/cloud/cloud.cfg.d/99-x.cfg",
            TAMED.replace("hostname: true", "hostname: false"),
        );
        files.write(write, text).write(&write.replace("user-data", "meta-data"), "x: y\n");
        files.write("/boot/firmware/cmdline.txt", line);
        assert_eq!(changes(&files).len(), 1, "{write}");
    }
    let mut files = base();
    files.write(
        "/etc/cloud/cloud.cfg.d/99-x.cfg",
        TAMED.replace("hostname: true", "hostname: false"),
    );
    files.write("/boot/firmware/cmdline.txt", "ds=nocloud;h=other;i=1\n");
    assert_eq!(changes(&files).len(), 1);
}

#[test]
fn what_cannot_be_read_is_named() {
    for text in [
        "#cloud-config-jsonp\n[]\n",
        "#part-handler\n",
        "#include\nhttp://x/\n",
        "## template: jinja\n#cloud-config\na: {{ b }}\n",
        "#cloud-config\na: [\n",
    ] {
        let mut files = base();
        files.write("/boot/firmware/user-data", text).write("/boot/firmware/meta-data", "");
        let model = BootModel::read(&files).unwrap();
        assert_eq!(model.cloud_init().unwrap().unreadable().len(), 1, "{text}");
    }
}

/// Seen on a booted card: a seed whose network-config has comments only, and the setting at the
/// top level, which cloud-init does not read.
#[test]
fn a_seed_without_a_network_is_answered_with_dhcp() {
    let network = |system_info: &str| {
        let mut files = base();
        files.write("/etc/cloud/cloud.cfg.d/98-x.cfg", "disable_fallback_netcfg: true\n");
        files.write("/etc/cloud/cloud.cfg.d/99-x.cfg", TAMED.replacen("network:", "x:", 1));
        files.write("/etc/cloud/cloud.cfg.d/99_x.cfg", format!("system_info: {system_info}\n"));
        files.write("/boot/firmware/meta-data", "dsmode: local\ninstance_id: x\n");
        files.write("/boot/firmware/user-data", "#cloud-config\n#hostname: x\n");
        files.write("/boot/firmware/network-config", "#network:\n#  version: 2\n");
        changes(&files)
    };
    let dhcp = [(Effect::Address, "/etc/cloud/cloud.cfg".to_owned())];
    assert_eq!(network("{distro: debian}"), dhcp);
    assert_eq!(network("{distro: ubuntu, disable_fallback_netcfg: true}"), dhcp);
    assert_eq!(network("{distro: raspberry-pi-os}"), []);
    assert_eq!(network("{distro: raspberry-pi-os, disable_fallback_netcfg: true}"), []);
    assert_eq!(network("{distro: raspberry-pi-os, disable_fallback_netcfg: false}"), dhcp);
    assert_eq!(network("{distro: photon, disable_fallback_netcfg: 0}"), dhcp);
}

#[test]
fn passwords_are_given_in_every_way_that_a_seed_has() {
    let given = |user_data: &str| -> Vec<(String, GivenPassword)> {
        let mut files = base();
        files.write("/boot/firmware/meta-data", "instance-id: x\n");
        files.write("/boot/firmware/user-data", format!("#cloud-config\n{user_data}\n"));
        let model = BootModel::read(&files).unwrap();
        let passwords = model.cloud_init().unwrap().passwords().into_iter();
        passwords.map(|one| (one.user, one.password)).collect()
    };
    let plain = |user: &str, word: &str| (user.to_owned(), GivenPassword::Plain(word.to_owned()));
    let hash = |user: &str, word: &str| (user.to_owned(), GivenPassword::Hash(word.to_owned()));
    assert_eq!(given("password: debian"), [plain("debian", "debian")]);
    assert_eq!(given("password: $6$a$b"), [hash("debian", "$6$a$b")]);
    assert_eq!(
        given("password: x\nchpasswd:\n  list: |\n    root:1234\n    pi:RANDOM\n    a:$6$a$b"),
        [plain("root", "1234"), hash("a", "$6$a$b")]
    );
    assert_eq!(given("chpasswd: {list: ['root:a:b']}"), [plain("root", "a:b")]);
    assert_eq!(
        given(
            "chpasswd:\n  users:\n  - {name: a, password: x}\n  \
             - {name: b, password: yy, type: text}\n  - {name: c, type: RANDOM}"
        ),
        [hash("a", "x"), plain("b", "yy")]
    );
    assert_eq!(
        given(
            "users:\n- {name: a, plain_text_passwd: x, lock_passwd: false}\n\
             - {name: b, passwd: yy, lock_passwd: false}\n- {name: c, plain_text_passwd: x}\n\
             - {name: default, hashed_passwd: z, lock_passwd: false}"
        ),
        [plain("a", "x"), hash("b", "yy"), hash("debian", "z")]
    );
    let debug = format!("{:?}", given("password: secret"));
    assert!(!debug.contains("secret"), "{debug}");
}

#[test]
fn policies_turn_cloud_init_off_and_the_command_line_wins() {
    let is_on = |policy: &str, line: &str| {
        let mut files = base();
        files.write("/etc/cloud/ds-identify.cfg", policy);
        files.write("/boot/firmware/cmdline.txt", format!("root=/dev/x {line}\n"));
        BootModel::read(&files).unwrap().cloud_init().unwrap().is_enabled()
    };
    assert!(!is_on("# x\npolicy: disabled\n", ""));
    assert!(!is_on("policy: 'disabled,found=all' # x\n", ""));
    assert!(is_on("policy: disabled,search\n", ""));
    assert!(is_on("policy: search,notfound=disabled\n", ""));
    assert!(is_on("policy: disabled\n", "ci.di.policy=search"));
    assert!(!is_on("policy: enabled\n", "ci.di.policy=disabled"));
}

#[test]
fn lines_of_parts_and_scripts_are_those_of_the_file() {
    let mut files = base();
    files.write("/etc/cloud/cloud.cfg.d/99-x.cfg", TAMED);
    files.write("/boot/firmware/meta-data", "instance-id: x\n");
    files.write(
        "/boot/firmware/user-data",
        "Content-Type: multipart/mixed; boundary=b\nMIME-Version: 1.0\n\n--b\n\
         Content-Type: text/cloud-config\n\nssh_deletekeys: true\n--b\n\
         Content-Type: text/cloud-boothook\n\n#cloud-boothook\n#!/bin/sh\nrm /etc/machine-id\n--b--\n",
    );
    let path = "/boot/firmware/user-data, line";
    let expected =
        [(Effect::MachineId, format!("{path} 13")), (Effect::HostKeys, format!("{path} 7"))];
    assert_eq!(changes(&files), expected);
}

/// An image that was used before, or a card that has booted.
#[test]
fn what_is_done_is_not_done_again() {
    let mut files = base();
    files.write("/boot/firmware/meta-data", "instance-id: x\n");
    files.write("/boot/firmware/user-data", "#cloud-config\n");
    files.write("/var/lib/cloud/data/instance-id", "x\n");
    for module in ["ssh", "users_groups"] {
        files.write(&format!("/var/lib/cloud/instances/x/sem/config_{module}"), "");
    }
    let effects: Vec<Effect> = changes(&files).into_iter().map(|(effect, _)| effect).collect();
    assert_eq!(effects, [Effect::Sizes, Effect::Sizes]);
    files.write("/boot/firmware/meta-data", "instance-id: another\n");
    assert!(changes(&files).len() > 3);
}

/// cloud-init makes one script of all commands of a list.
#[test]
fn commands_are_run_by_one_shell() {
    let mut files = base();
    let user_data = format!(
        "#cloud-config\n{TAMED}runcmd:\n- cd /etc\n- echo pi > hostname\n- |\n  for k in \
         /etc/ssh/ssh_host_*; do\n    rm \"$k\"\n  done\n- sed -i s/yes/no/ /etc/ssh/sshd_config\n\
         - [systemctl, disable, NetworkManager]\n- touch /etc/nologin\n- passwd -l root\n\
         - [sh, -c, 'cd /tmp && rm hostname']\n"
    );
    let lines = user_data.lines().count();
    files.write("/boot/firmware/user-data", user_data);
    files.write("/boot/firmware/meta-data", "instance-id: i\n");
    let at = |effect, line: usize| (effect, format!("/boot/firmware/user-data, line {line}"));
    let found = changes(&files);
    for wanted in [
        at(Effect::HostName, lines - 9),
        at(Effect::HostKeys, lines - 6),
        at(Effect::SshServer, lines - 4),
        at(Effect::Address, lines - 11),
        at(Effect::SshServer, lines - 2),
        at(Effect::Passwords, lines - 1),
    ] {
        assert!(found.contains(&wanted), "{wanted:?}: {found:?}");
    }
    assert!(!found.contains(&at(Effect::HostName, lines)), "{found:?}");
}
