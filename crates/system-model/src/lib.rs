//! What a Linux system on an image will do at boot, and who can log in to it, read from its
//! files the way its own programs read them.
//!
//! Nothing here runs or writes anything. The files come through [`SystemFiles`], so the
//! same questions can be asked of a base image, of a card in a reader, and of a system made
//! up in memory ([`MemoryFiles`]).
//!
//! ```
//! use system_model::{BootModel, MemoryFiles};
//!
//! let mut files = MemoryFiles::new();
//! let unit = "/lib/systemd/system/ssh.service";
//! files.write(unit, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
//! files.symlink("/etc/systemd/system/multi-user.target.wants/ssh.service", unit);
//!
//! let model = BootModel::read(&files)?;
//! let server = model.systemd().running("ssh.service").expect("it is enabled");
//! assert_eq!(server.execs[0].command, "/usr/sbin/sshd -D");
//! # Ok::<(), system_model::SystemError>(())
//! ```

mod boot_model;
mod cached;
mod cloud_init;
mod command_line;
mod disarm;
mod effect;
mod effects;
mod elf;
mod family;
mod files;
mod first_boot;
mod glob;
mod hooks;
mod links;
mod memory;
mod mounts;
mod overlay;
mod search_path;
mod secrets;
mod service_command;
mod systemd;
mod unsuitable;

pub use boot_model::{BootModel, Origin, Program, ReadOptions, Threat};
pub use cached::CachedFiles;
pub use cloud_init::{
    CloudChange, CloudInit, CloudPassword, Frequency as CloudFrequency, GivenPassword,
    Module as CloudModule, Script as CloudScript, ScriptKind as CloudScriptKind, Seed as CloudSeed,
    Stage as CloudStage, Value as CloudValue,
};
pub use command_line::{
    Argument, CommandLine, CommandLineFormat, CommandLines, edit as edit_command_line,
};
pub use disarm::Disarm;
pub use effect::{Effect, Location};
pub use effects::Touch;
pub use family::{Family, Recognized};
pub use files::{
    BootPartition, FileKind, FileMetadata, Starts, SystemError, SystemFiles, WantedFiles,
};
pub use first_boot::KnownProgram;
pub use links::{follow_links, real_path};
pub use memory::MemoryFiles;
pub use mounts::{Mount, Mounts};
pub use overlay::{OVERLAYROOT_CONFS, OverlayUpper, RootOverlay};
pub use pattern::fnmatch;
pub use secrets::{Secret, SecretKind, secrets};
pub use systemd::{
    Assignment, ConditionState, Exec, KernelArgument, NotStarted, Reason, StartedUnit, Systemd,
    UnitState,
};
pub use unsuitable::{Unsuitable, unsuitable};

pub mod accounts;
pub mod docker;
mod file_line;
pub mod network;
mod pattern;
pub mod sshd;
mod udev;
mod units;
mod walk;
pub mod yaml;

pub use file_line::FileLine;
