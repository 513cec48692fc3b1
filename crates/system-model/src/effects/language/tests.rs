//! Scripts in other languages than the shell's.

use crate::{Effect, Effect::*, Location, MemoryFiles, effects::Scan};

fn found(text: &str) -> Vec<(Effect, Location)> {
    let mut files = MemoryFiles::new();
    files.write("/a", text);
    let mut scan = Scan::new(&files);
    scan.script("/a").unwrap();
    let touches = scan.finish().0.into_iter().filter(|touch| !touch.only_names);
    touches.map(|touch| (touch.effect, touch.location)).collect()
}

#[test]
fn files_are_changed_wherever_their_names_stand() {
    let mut bad: Vec<String> = Vec::new();
    for (text, effect, line) in [
        ("import os\np = '/etc/machine-id'\nos.remove(p)", MachineId, 4),
        ("F = \"/etc/hostname\"\nwith open(F, 'w') as f:\n    f.write('pi')", HostName, 3),
        ("F = \"/etc/hostname\"\nf = open(F, mode='a')", HostName, 3),
        ("fd = os.open('/etc/hosts', os.O_WRONLY | os.O_TRUNC)", Hosts, 2),
        ("from pathlib import Path\nPath('/etc/hostname').write_text('pi')", HostName, 3),
        ("p = Path('/etc') / 'hostname'\np.write_text('pi')", HostName, 3),
        ("p = Path('/etc/hosts')\nwith p.open('w') as f:\n  pass", Hosts, 3),
        ("D = '/etc'\nopen(os.path.join(D, 'hostname'), 'w')", HostName, 3),
        ("D = '/etc/'\nopen(D + 'hostname', 'w')", HostName, 3),
        ("D = '/etc'\nopen(f'{D}/hostname', 'w')", HostName, 3),
        ("for k in glob.glob('/etc/ssh/ssh_host_*'):\n    os.unlink(k)", HostKeys, 3),
        ("for k in Path('/etc/ssh').glob('ssh_host_*'):\n    k.unlink()", HostKeys, 3),
        ("shutil.copy('/boot/hostname', '/etc/')", HostName, 2),
        ("shutil.move(\n    '/boot/hosts',\n    '/etc/hosts',\n)", Hosts, 2),
        ("shutil.rmtree('/root/.ssh')", UserKeys, 2),
        ("subprocess.run(['rm', '-f', '/etc/machine-id'], check=True)", MachineId, 2),
        ("cmd = ['rm', '-f',\n  '/etc/machine-id']\nsubprocess.run(cmd)", MachineId, 4),
        ("subprocess.call('echo pi > /etc/hostname', shell=True)", HostName, 2),
        ("os.system(\"sed -i 's/a/b/' /etc/hosts\")", Hosts, 2),
        ("name = 'pi'\nos.system('hostnamectl set-hostname ' + name)", HostName, 3),
        ("run('ssh-keygen -A')", HostKeys, 2),
        ("p = Popen(['chpasswd'], stdin=PIPE)", Passwords, 2),
        ("def wipe(path):\n    os.remove(path)\nwipe('/etc/machine-id')", MachineId, 3),
    ] {
        let text = format!("#!/usr/bin/env python3\n{text}\n");
        let wanted = (effect, Location::new("/a", line));
        if !found(&text).contains(&wanted) {
            bad.push(format!("{text}: {:?}", found(&text)));
        }
    }
    for (text, effect, line) in [
        ("my $f = '/etc/hostname';\nopen(my $fh, '>', $f) or die;", HostName, 3),
        ("open(F, \">/etc/hostname\");", HostName, 2),
        ("my $d = '/etc';\nunlink \"$d/machine-id\";", MachineId, 3),
        ("foreach my $k (glob('/etc/ssh/ssh_host_*')) {\n  unlink $k;\n}", HostKeys, 3),
        ("unlink glob('/etc/ssh/ssh_host_*');", HostKeys, 2),
        ("system('rm', '-f', '/etc/machine-id');", MachineId, 2),
        ("system(\"echo pi > /etc/hostname\");", HostName, 2),
        ("`rm -f /etc/machine-id`;", MachineId, 2),
        ("rename('/tmp/hosts', '/etc/hosts');", Hosts, 2),
    ] {
        let text = format!("#!/usr/bin/perl\n{text}\n");
        let wanted = (effect, Location::new("/a", line));
        if !found(&text).contains(&wanted) {
            bad.push(format!("{text}: {:?}", found(&text)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn scripts_that_only_look() {
    let mut bad: Vec<String> = Vec::new();
    for text in [
        "print(open('/etc/hostname').read())",
        "with open('/etc/hosts') as f:\n    for line in f:\n        out.write(line)",
        "name = Path('/etc/hostname').read_text()\nopen('/tmp/x', 'w').write(name)",
        "shutil.copy('/etc/hosts', '/tmp/hosts')",
        "subprocess.run(['cat', '/etc/hostname'])",
        "\"\"\"\nremoves /etc/machine-id: os.remove('/etc/machine-id')\n\"\"\"",
        "# os.remove('/etc/machine-id')",
        "print('rm -f /etc/machine-id')",
        "parser.add_argument('--x', help='rm -f /etc/hosts')",
        "if line == '/etc/hosts': pass",
    ] {
        let text = format!("#!/usr/bin/python3\nimport os\n{text}\n");
        if !found(&text).is_empty() {
            bad.push(format!("{text}: {:?}", found(&text)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn any_text_is_read_in_a_time_that_grows_with_its_length() {
    let often = |text: &str| text.repeat(300_000 / text.len());
    let begun = std::time::Instant::now();
    for text in [
        "\"",
        "'",
        "`",
        "(",
        "f(",
        "f(a,",
        "\"\"\"",
        "'''x",
        "a = b\n",
        "def f(a):\n",
        "f('/etc')\n",
        "os.remove(a)\n",
        "a = '/etc/hosts'\n",
        "for a in ",
        "with a as b:\n",
        "a.b.",
        "{\n",
        "\\\n",
        "x = '{a}{a}{a}'\na = x\n",
        "é",
        "$",
        "f(('/a', '/b', '/c'), ",
    ] {
        found(&format!("#!/usr/bin/python3\n{}", often(text)));
        assert!(begun.elapsed().as_secs() < 60, "{text}: {:?}", begun.elapsed());
    }
}
