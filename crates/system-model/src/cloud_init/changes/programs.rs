//! Commands, scripts and files that user-data gives.

use super::{super::decode, Finder, Layer, ScriptKind, Value, written};
use crate::{
    Effect, SystemError,
    effects::{Place, Scan},
    hooks::is_executable,
};

/// Where files lie that run at later boots.
const PROGRAM_PLACES: [&str; 13] = [
    "/etc/NetworkManager/dispatcher.d/",
    "/etc/cron",
    "/etc/init.d/",
    "/etc/network/if-",
    "/etc/networkd-dispatcher/",
    "/etc/profile",
    "/etc/rc.local",
    "/etc/systemd/system/",
    "/etc/udev/rules.d/",
    "/lib/systemd/system/",
    "/usr/lib/systemd/system/",
    "/var/lib/cloud/scripts/",
    "/var/spool/cron/",
];

impl Finder<'_> {
    /// Scans the commands of a list: each is text for a shell, or a list of words.
    pub(super) fn commands(&mut self, module: &str, key: &str) -> Result<(), SystemError> {
        let Some(list) = self.get(key).cloned() else { return Ok(()) };
        self.scan_commands(module, key, list.list())
    }

    /// The same for a list, or a mapping of commands, further in.
    pub(super) fn inner_commands(
        &mut self,
        module: &str,
        path: &[&str],
    ) -> Result<(), SystemError> {
        let commands: Vec<Value> = match self.model.config.at(path) {
            Some(Value::List(list)) => list.clone(),
            Some(map @ Value::Map(_)) => map.entries().iter().map(|(_, one)| one.clone()).collect(),
            _ => return Ok(()),
        };
        self.scan_commands(module, path.first().copied().unwrap_or_default(), &commands)
    }

    /// The same for a single command further in.
    pub(super) fn inner_command(&mut self, module: &str, path: &[&str]) -> Result<(), SystemError> {
        let Some(command) = self.model.config.at(path).cloned() else { return Ok(()) };
        self.scan_commands(module, path.first().copied().unwrap_or_default(), &[command])
    }

    fn scan_commands(&mut self, module: &str, key: &str, all: &[Value]) -> Result<(), SystemError> {
        let top = self.model.location(key);
        let source = self.model.sources.iter().find(|layer| layer.path == top.path);
        let source = source.map(|Layer { text, .. }| text.as_str()).unwrap_or_default();
        let mut scan = Scan::new(self.files);
        for one in all {
            let text = match one {
                Value::List(words) => {
                    let words = words.iter().filter_map(Value::text);
                    let quoted: Vec<String> =
                        words.map(|word| format!("'{}'", word.replace('\'', ""))).collect();
                    quoted.join(" ")
                }
                other => other.text().unwrap_or_default(),
            };
            // The lines in the file, where they are written as they are.
            let first = text.trim_start().lines().next().unwrap_or_default().trim();
            let bare = first.trim_matches('\'');
            let in_file = source.lines().position(|line| !bare.is_empty() && line.contains(bare));
            let place = match in_file {
                Some(index) => Place::from_line(&top.path, index + 1),
                None => Place::at(&top),
            };
            // All commands of a list are run by one shell.
            scan.text(text.trim_start(), &place)?;
        }
        self.take(module, scan);
        Ok(())
    }

    fn take(&mut self, module: &str, scan: Scan<'_>) {
        for touch in scan.finish().0 {
            let text = match touch.effect {
                // Such a line may hold a password.
                Effect::Passwords | Effect::Users => {
                    format!("runs a command that seems to change {}", touch.effect)
                }
                effect => {
                    format!("runs `{}`, which seems to change {effect}", touch.text.trim())
                }
            };
            self.add(touch.effect, module, touch.location, text);
        }
    }

    /// Scripts among the parts of user-data and vendor-data.
    pub(super) fn seed_scripts(
        &mut self,
        kind: ScriptKind,
        module: &str,
    ) -> Result<(), SystemError> {
        let mut scan = Scan::new(self.files);
        for script in self.model.scripts.iter().filter(|script| script.kind == kind) {
            let text = script.text.trim_start();
            let mark = text.get(..15).filter(|start| start.eq_ignore_ascii_case("#cloud-boothook"));
            let text = mark.map_or(text, |mark| text[mark.len()..].trim_start());
            let skipped = script.text.len() - text.len();
            let skipped = script.text[..skipped].matches('\n').count();
            let first = script.location.line;
            let first = if first == 0 { 0 } else { first + skipped };
            scan.program(text, &Place::from_line(&script.location.path, first))?;
        }
        self.take(module, scan);
        Ok(())
    }

    /// Scripts that an earlier boot left to the instance.
    pub(super) fn instance_scripts(&mut self) -> Result<(), SystemError> {
        self.scripts_in("scripts_user", "/var/lib/cloud/instance/scripts")
    }

    pub(super) fn write_files(&mut self, module: &str) -> Result<(), SystemError> {
        let deferred = module == "write_files_deferred";
        let list = self.get("write_files").cloned().unwrap_or(Value::Null);
        let mut scan = Scan::new(self.files);
        let at = self.model.location("write_files");
        for file in list.list() {
            if file.get("defer").is_some_and(Value::is_true) != deferred {
                continue;
            }
            let Some(path) = file.get("path").and_then(Value::text) else { continue };
            let path = absolute(&path);
            if let Some(effect) = written::effect(&path) {
                self.by_key(effect, module, "write_files", format!("writes {path}"));
                continue;
            }
            let bytes = contents(file);
            let text = String::from_utf8_lossy(&bytes);
            if text.starts_with("#!") {
                scan.program(&text, &Place::at(&at))?;
            } else if PROGRAM_PLACES.iter().any(|place| path.starts_with(place)) {
                if !path.contains("/systemd/system/") {
                    scan.text(&text, &Place::at(&at))?;
                    continue;
                }
                // Of a unit, what its settings run.
                for line in text.lines() {
                    if let Some((key, command)) = line.split_once('=')
                        && key.starts_with("Exec")
                    {
                        let command = command.trim_start_matches(['-', '@', '+', '!', ':']);
                        scan.command(command, &at)?;
                    }
                }
            } else if path.starts_with("/etc/cloud/cloud.cfg") {
                let changes = Value::parse(&text).unwrap_or(Value::Null);
                for (key, effect) in OWN_SETTINGS {
                    if changes.get(key).is_some() {
                        let text = format!("writes `{key}` to {path}, for later boots");
                        self.by_key(effect, module, "write_files", text);
                    }
                }
            }
        }
        self.take(module, scan);
        Ok(())
    }

    /// Programs in /var/lib/cloud/scripts, and those that user-data puts there.
    pub(super) fn scripts(&mut self, module: &str) -> Result<(), SystemError> {
        let kind = match module {
            "scripts_per_once" => ScriptKind::PerOnce,
            "scripts_per_boot" => ScriptKind::PerBoot,
            "scripts_per_instance" => ScriptKind::PerInstance,
            _ => ScriptKind::Vendor,
        };
        self.seed_scripts(kind, module)?;
        let name = module.trim_start_matches("scripts_").replace('_', "-");
        let directory = match kind {
            ScriptKind::Vendor => "/var/lib/cloud/instance/scripts/vendor".to_owned(),
            _ => format!("/var/lib/cloud/scripts/{name}"),
        };
        self.scripts_in(module, &directory)
    }

    fn scripts_in(&mut self, module: &str, directory: &str) -> Result<(), SystemError> {
        let mut scan = Scan::new(self.files);
        for name in self.files.list(directory)?.unwrap_or_default() {
            let path = format!("{directory}/{name}");
            if is_executable(self.files, &path)? {
                scan.script(&path)?;
            }
        }
        self.take(module, scan);
        Ok(())
    }
}

/// Settings of cloud-init by which a later boot changes a card.
const OWN_SETTINGS: [(&str, Effect); 11] = [
    ("preserve_hostname", Effect::HostName),
    ("hostname", Effect::HostName),
    ("manage_etc_hosts", Effect::Hosts),
    ("ssh_deletekeys", Effect::HostKeys),
    ("ssh_genkeytypes", Effect::HostKeys),
    ("growpart", Effect::Sizes),
    ("resize_rootfs", Effect::Sizes),
    ("network", Effect::Address),
    ("users", Effect::Users),
    ("chpasswd", Effect::Passwords),
    ("password", Effect::Passwords),
];

/// Returns a path without `.`, `..` and empty names, as Python's `abspath` does.
fn absolute(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// Returns what is written to a file (cc_write_files.py `extract_contents`).
fn contents(file: &Value) -> Vec<u8> {
    let bytes = match file.get("content") {
        Some(Value::Bytes(bytes)) => bytes.clone(),
        other => other.and_then(Value::text).unwrap_or_default().into_bytes(),
    };
    let encoding = file.get("encoding").and_then(Value::text).unwrap_or_default();
    let decoded = match encoding.trim().to_ascii_lowercase().as_str() {
        "gz" | "gzip" => decode::gunzip(&bytes).text(),
        "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => {
            decode::base64(&bytes).and_then(|bytes| decode::gunzip(&bytes).text())
        }
        "b64" | "base64" => decode::base64(&bytes),
        _ => None,
    };
    decoded.unwrap_or(bytes)
}
