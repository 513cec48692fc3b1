//! What will run at boot, and what of a card it will change.

use crate::{
    CloudInit, CommandLines, Disarm, Effect, Family, KnownProgram, Location, Recognized,
    RootOverlay, SystemError, SystemFiles, Systemd, Touch,
    effects::{Environment, Scan},
    family, first_boot, hooks,
    search_path::unmasked,
};

/// How a model is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Whether the next boot counts as the first, instead of what /etc/machine-id says: `false`
    /// for a base image whose cards get a machine id.
    pub first_boot: Option<bool>,
}

/// What starts a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A unit of systemd, of this name.
    Unit(String),
    /// An argument of the kernel's command line: `init=`, `systemd.run=`, …
    Argument(String),
    /// The kernel, which starts it as the first program of all.
    Kernel,
    /// cron, by a line of a table.
    Cron,
    /// systemd, before it reads any unit.
    Generator,
    /// udev, by a rule.
    Udev,
    /// ifup, by an option of a stanza, or as one of the scripts that it runs.
    Ifup,
    /// A service of the network, when an interface is up.
    Dispatcher,
    /// A program of systemd's own, by a line of its configuration.
    Setting,
    /// A shell or PAM, when somebody logs in.
    Login,
    /// cloud-init, which a unit starts.
    CloudInit,
    /// Marks in the filesystem that a program acts on, or a login on the console.
    File,
}

/// A program that runs at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// A name for people: the unit, the argument, the file.
    pub name: String,
    /// What starts it.
    pub origin: Origin,
    /// The scripts of it that could be read.
    pub scripts: Vec<String>,
    /// Places in its text that change something of a card.
    pub touches: Vec<Touch>,
    /// How it is kept from running.
    pub disarm: Vec<Disarm>,
}

/// A change that a program will make at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threat {
    /// What it changes.
    pub effect: Effect,
    /// The program: a unit, an argument, a file, a module of cloud-init.
    pub program: String,
    /// Where the image says so.
    pub location: Location,
    /// The line, or what a known program does.
    pub text: String,
    /// Whether the program only names what it may change, and writes files somewhere.
    pub only_names: bool,
    /// Whether it runs when somebody logs in, and not at boot.
    pub at_login: bool,
    /// Whether the program is known by name, so that disarming it is known to be right.
    pub known: bool,
    /// Whether the program is a module of cloud-init, which is turned off as a whole.
    pub is_cloud_init: bool,
    /// The family that a known program belongs to.
    pub family: Option<Family>,
    /// How it is kept from doing so; empty where only the owner knows.
    pub disarm: Vec<Disarm>,
}

/// What will run when the system of an image boots, and what of a card it changes.
///
/// Out of reach are programs that are not text, and what an initramfs does: it is an archive
/// of its own, made when the image was.
#[derive(Debug, Clone)]
pub struct BootModel {
    command_lines: CommandLines,
    systemd: Systemd,
    cloud_init: Option<CloudInit>,
    family: Option<Recognized>,
    known: Vec<KnownProgram>,
    programs: Vec<Program>,
    settled: Vec<(String, Vec<Effect>)>,
    root_overlay: Option<RootOverlay>,
}

impl BootModel {
    /// Reads what an image will do at its next boot.
    ///
    /// # Errors
    /// [`SystemError`] if a file of the image cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        BootModel::read_with(files, ReadOptions::default())
    }

    /// Reads what an image will do at its next boot, with assumptions.
    ///
    /// # Errors
    /// [`SystemError`] if a file of the image cannot be read.
    pub fn read_with(files: &dyn SystemFiles, options: ReadOptions) -> Result<Self, SystemError> {
        let command_lines = CommandLines::read(files)?;
        let systemd = Systemd::read(files, &command_lines, options.first_boot)?;
        let family = family::recognize(files, &command_lines)?;
        let look = first_boot::Look {
            files,
            systemd: &systemd,
            lines: &command_lines,
            family: family.as_ref().map(|one| one.family),
        };
        let (known, settled) = first_boot::recognize(&look)?;
        let cloud_init = CloudInit::read(files, &command_lines, &systemd)?;
        let mut programs = Vec::new();
        units(files, &systemd, &mut programs)?;
        arguments(files, &command_lines, &mut programs)?;
        first_program(files, &command_lines, &mut programs)?;
        hooks::find(files, &systemd, &mut programs)?;
        let root_overlay = RootOverlay::read(files, &command_lines)?;
        Ok(BootModel {
            command_lines,
            systemd,
            cloud_init,
            family,
            known,
            programs,
            settled,
            root_overlay,
        })
    }

    /// Returns the kernel command lines.
    pub fn command_lines(&self) -> &CommandLines {
        &self.command_lines
    }

    /// Returns the units, and which of them start.
    pub fn systemd(&self) -> &Systemd {
        &self.systemd
    }

    /// Returns cloud-init's state and configuration, or `None` if it is not installed.
    pub fn cloud_init(&self) -> Option<&CloudInit> {
        self.cloud_init.as_ref()
    }

    /// Returns the family that the image belongs to.
    pub fn family(&self) -> Option<&Recognized> {
        self.family.as_ref()
    }

    /// Returns the known first-boot programs that are armed.
    pub fn known_programs(&self) -> &[KnownProgram] {
        &self.known
    }

    /// Returns the overlay that takes what programs write to the root filesystem.
    pub fn root_overlay(&self) -> Option<&RootOverlay> {
        self.root_overlay.as_ref()
    }

    /// Returns the programs that run at boot and whose text could be looked at.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// Returns what changes any of these things at boot: known programs first, then cloud-init,
    /// then what the text of other programs says. [`Effect::ALL`] asks for everything.
    pub fn threats(&self, wanted: &[Effect]) -> Vec<Threat> {
        let mut threats = Vec::new();
        for program in &self.known {
            for effect in &program.effects {
                threats.push(Threat {
                    effect: *effect,
                    program: program.name.clone(),
                    location: program.evidence.clone(),
                    text: program.what.to_owned(),
                    only_names: false,
                    at_login: false,
                    known: true,
                    is_cloud_init: false,
                    family: program.family,
                    disarm: program.disarm.clone(),
                });
            }
        }
        if let Some(cloud_init) = &self.cloud_init {
            for change in cloud_init.changes() {
                threats.push(Threat {
                    effect: change.effect,
                    program: format!("cloud-init, module {}", change.module),
                    location: change.location.clone(),
                    text: change.text.clone(),
                    only_names: false,
                    at_login: false,
                    known: true,
                    is_cloud_init: true,
                    family: None,
                    disarm: cloud_init.disarm(),
                });
            }
        }
        for program in &self.programs {
            for touch in &program.touches {
                if self.is_settled(&program.name, touch) {
                    continue;
                }
                threats.push(Threat {
                    effect: touch.effect,
                    program: program.name.clone(),
                    location: touch.location.clone(),
                    text: touch.text.clone(),
                    only_names: touch.only_names,
                    at_login: program.origin == Origin::Login,
                    known: false,
                    is_cloud_init: false,
                    family: None,
                    disarm: program.disarm.clone(),
                });
            }
        }
        threats.retain(|threat| wanted.contains(&threat.effect));
        threats
    }

    /// Returns whether a known program accounts for what the text says.
    fn is_settled(&self, program: &str, touch: &Touch) -> bool {
        let script = &touch.location.path;
        let known = self.known.iter().map(|one| (&one.name, &one.effects));
        let settled = self.settled.iter().map(|(name, effects)| (name, effects));
        known.chain(settled).any(|(name, effects)| {
            let is_accounted = effects.contains(&touch.effect) || touch.effect == Effect::SshServer;
            (name == program || name == script) && is_accounted
        })
    }
}

fn units(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    programs: &mut Vec<Program>,
) -> Result<(), SystemError> {
    for unit in systemd.started().iter().filter(|unit| unit.runs()) {
        if unit.execs.is_empty() {
            continue;
        }
        let environment = Environment::new(&unit.environment, &unit.directory);
        let mut scan = Scan::within(files, environment);
        for exec in &unit.execs {
            if !is_stock(files, &unit.name, &exec.command)? {
                scan.command(&exec.command, &exec.location)?;
            }
        }
        let (touches, scripts) = scan.finish();
        programs.push(Program {
            name: unit.name.clone(),
            origin: Origin::Unit(unit.name.clone()),
            scripts,
            touches,
            disarm: systemd.disarm(&unit.name),
        });
    }
    Ok(())
}

/// Returns whether a command is a distribution's own and does no harm to a finished card.
fn is_stock(files: &dyn SystemFiles, unit: &str, command: &str) -> Result<bool, SystemError> {
    let program = command.split_whitespace().next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or(program);
    if program == "systemd-repart" {
        // It does what definitions say, and nothing without one.
        return Ok(unmasked(files, &REPART, ".conf")?.is_empty());
    }
    // openssh's: makes kinds of host keys that are missing, on a first boot.
    Ok((unit.starts_with("sshd-keygen") && command.ends_with("ssh-keygen -A"))
        // The back ends of the network themselves.
        || (unit.starts_with("dhcpcd") && program == "dhcpcd")
        || (unit.starts_with("ifup@") || unit.starts_with("networking.")))
}

/// Where definitions of partitions are (repart.d(5)).
const REPART: [&str; 4] =
    ["/etc/repart.d", "/usr/local/lib/repart.d", "/usr/lib/repart.d", "/lib/repart.d"];

/// What init is on a system that boots as usual.
const INITS: [&str; 6] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/bin/systemd",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "/init",
];

/// Reads what the kernel starts as init, if that is a script in the place of a usual program.
fn first_program(
    files: &dyn SystemFiles,
    lines: &CommandLines,
    programs: &mut Vec<Program>,
) -> Result<(), SystemError> {
    let named = lines.last("init").and_then(|argument| argument.value.as_deref());
    let path = named.unwrap_or("/sbin/init");
    if !INITS.contains(&path) {
        return Ok(());
    }
    let program = hooks::of_script(files, path, Origin::Kernel)?;
    programs.extend(Some(program).filter(|program| !program.scripts.is_empty()));
    Ok(())
}

fn arguments(
    files: &dyn SystemFiles,
    lines: &CommandLines,
    programs: &mut Vec<Program>,
) -> Result<(), SystemError> {
    for line in lines.counting() {
        for argument in &line.arguments {
            let at = Location::new(&line.path, line.line);
            let value = argument.value.as_deref().unwrap_or_default();
            let mut scan = Scan::new(files);
            let mut touches = Vec::new();
            let mut says = |effect| {
                let text = argument.text.clone();
                touches.push(Touch { effect, location: at.clone(), text, only_names: false });
            };
            match argument.key.as_str() {
                "init" if !INITS.contains(&value) => scan.script(value)?,
                "systemd.run" => {
                    // systemd-run-generator(8) boots to this command, instead of to the units
                    // that would start an ssh server.
                    let unit = lines.last("systemd.unit").and_then(|one| one.value.as_deref());
                    if unit.is_none_or(|unit| unit == "kernel-command-line.target") {
                        says(Effect::SshServer);
                    }
                    scan.command(value, &at)?;
                    // The Imager's path is that of the boot partition when it was written.
                    if let Some(name) = value.strip_prefix("/boot/")
                        && !files.exists(value)?
                    {
                        for partition in files.boot_partitions() {
                            scan.script(&format!("{}/{name}", partition.prefix))?;
                        }
                    }
                }
                "systemd.hostname" => says(Effect::HostName),
                // machine-id(5): it outranks the file, unless the value is not valid.
                "systemd.machine_id" => says(Effect::MachineId),
                // klibc's and the kernel's own configuration of the interface.
                "ip" if !matches!(value, "" | "off" | "none") => says(Effect::Address),
                _ => continue,
            }
            let (found, scripts) = scan.finish();
            touches.extend(found);
            programs.push(Program {
                name: argument.text.clone(),
                origin: Origin::Argument(argument.text.clone()),
                scripts,
                touches,
                disarm: vec![Disarm::RemoveArgument {
                    path: line.path.clone(),
                    argument: argument.text.clone(),
                }],
            });
        }
    }
    Ok(())
}
