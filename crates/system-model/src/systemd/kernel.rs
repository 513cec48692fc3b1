//! What the kernel's command line says about units.
//!
//! Sources: systemd(1), "Kernel Command Line"; systemd's src/core/main.c
//! (`parse_proc_cmdline_item`, `do_queue_default_job`), src/debug-generator/debug-generator.c,
//! src/run-generator/run-generator.c and `runlevel_to_target`. Arguments that begin with `rd.` are
//! for the initramfs.

use std::collections::BTreeMap;

use super::search;
use crate::{Location, command_line::CommandLines};

/// The target that systemd-run-generator(8) boots to, to run a command and, as a rule, to boot
/// again without it. What starts from then on is what matters.
const RUN_TARGET: &str = "kernel-command-line.target";

/// An argument of the kernel's command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelArgument {
    /// The argument as written.
    pub text: String,
    /// The line that has it.
    pub location: Location,
}

/// The arguments about units.
#[derive(Debug, Clone, Default)]
pub(crate) struct KernelUnits {
    /// The unit to start, instead of default.target.
    pub default: Option<(String, KernelArgument)>,
    /// Units that are masked, whatever /etc says.
    pub masks: BTreeMap<String, KernelArgument>,
    /// Units that the unit to start wants.
    pub wants: Vec<(String, KernelArgument)>,
}

impl KernelUnits {
    pub fn read(lines: &CommandLines) -> Self {
        let mut found = KernelUnits::default();
        let runs = lines.last("systemd.run").is_some_and(|one| one.value.is_some());
        for line in lines.counting() {
            for argument in &line.arguments {
                let here = || KernelArgument {
                    text: argument.text.clone(),
                    location: Location::new(&line.path, line.line),
                };
                let named = match (argument.key.as_str(), argument.value.as_deref()) {
                    ("systemd.mask", Some(unit)) => {
                        found.masks.insert(mangled(unit), here());
                        continue;
                    }
                    ("systemd.wants", Some(unit)) => {
                        found.wants.push((mangled(unit), here()));
                        continue;
                    }
                    ("systemd.debug_shell" | "systemd.debug-shell", value) => {
                        let is_off = ["0", "no", "n", "false", "f", "off"];
                        if !value.is_some_and(|value| is_off.contains(&value)) {
                            found.wants.push(("debug-shell.service".to_owned(), here()));
                        }
                        continue;
                    }
                    ("systemd.unit", Some(RUN_TARGET)) if runs => continue,
                    ("systemd.unit", Some(unit)) if search::is_unit_name(unit) => unit,
                    ("emergency" | "-b", None) => "emergency.target",
                    ("rescue" | "single" | "-s" | "s" | "S" | "1", None) => "rescue.target",
                    ("2" | "3" | "4", None) => "multi-user.target",
                    ("5", None) => "graphical.target",
                    _ => continue,
                };
                found.default = Some((named.to_owned(), here()));
            }
        }
        found
    }
}

/// `unit_name_mangle`, for the names that people write.
fn mangled(name: &str) -> String {
    if search::is_unit_name(name) {
        return name.to_owned();
    }
    if name.starts_with('/') {
        let path = name.trim_matches('/').replace('-', "\\x2d").replace('/', "-");
        let suffix = if name.starts_with("/dev/") { "device" } else { "mount" };
        return format!("{path}.{suffix}");
    }
    format!("{name}.service")
}
