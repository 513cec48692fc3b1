//! What the user should know about an image or a profile.

mod words;

use system_model::{Effect, FileLine};

use crate::OverlayVerdict;

/// Something about the image or the profile that the user should know.
///
/// Its [`Display`](std::fmt::Display) says it in one sentence, [`fix`](Self::fix) what to do about
/// it, and [`kind`](Self::kind) groups notes in reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A program of the image that changes the card when it boots was disarmed.
    Disarmed {
        /// What to call the program.
        program: String,
        /// The file that starts it, unless its name says so.
        at: Option<String>,
        /// What it does, as a clause: `resizes the root partition`.
        what: String,
        /// What it would have changed.
        effects: Vec<Effect>,
    },
    /// cloud-init was turned off, because it would have changed the card.
    CloudInitOff {
        /// What it would have changed.
        effects: Vec<Effect>,
    },
    /// A user whom only cloud-init would have made.
    UserOfCloudInit {
        /// The user.
        user: String,
    },
    /// cloud-init, which the profile keeps, changes something of the card.
    CloudInitChanges {
        /// Its module.
        module: String,
        /// What the module does, as a clause: `makes the user ada`.
        what: String,
        /// The file, or its line, that says so.
        at: String,
    },
    /// The profile keeps cloud-init, but the image turns it off.
    CloudInitStaysOff {
        /// What turns it off.
        why: String,
    },
    /// A login without a password was removed.
    RemovedAutologin {
        /// The file that was removed.
        path: String,
    },
    /// Key pairs of the image were replaced by the cluster's.
    RemovedKeys {
        /// The user whose they were.
        user: String,
        /// The private halves.
        paths: Vec<String>,
    },
    /// Lines with keys whose private half is in the image were removed.
    RemovedKeyLines {
        /// The user whom the lines let in.
        user: String,
        /// The authorized_keys file.
        path: String,
        /// The private halves.
        keys: Vec<String>,
    },
    /// Keys were removed that the profile's `ssh.image_keys` names.
    RemovedImageKeys {
        /// The authorized_keys file.
        path: String,
    },
    /// A file where a directory has to be was removed.
    RemovedObstacle {
        /// The file.
        path: String,
    },
    /// Write access of others was removed from a file or directory.
    RemovedWriteAccess {
        /// The file or directory.
        path: String,
    },
    /// A file that takes precedence over the node's address was removed.
    RemovedNetworkFile {
        /// The file.
        path: String,
        /// The interface.
        interface: String,
    },
    /// A package's file that takes precedence over the node's address was masked.
    MaskedNetworkFile {
        /// The file.
        path: String,
        /// The interface.
        interface: String,
    },
    /// A line that would give the interface another address was removed.
    RemovedNetworkLine {
        /// The line.
        line: String,
        /// The file.
        path: String,
        /// The interface.
        interface: String,
    },
    /// The interface's static IPv6 address was removed.
    RemovedIpv6 {
        /// The file.
        path: String,
        /// The interface.
        interface: String,
    },
    /// A line of /etc/hosts was removed, because its address is a node's.
    RemovedHosts {
        /// The address.
        address: String,
        /// The names on the line.
        names: Vec<String>,
    },
    /// The swarm of the image was removed.
    RemovedSwarm,
    /// A password that had to be changed at the first login no longer has to be.
    PasswordChangeDropped {
        /// The user.
        user: String,
        /// The file that was changed.
        path: String,
    },
    /// What kept a user out was corrected.
    LoginCorrected {
        /// The user.
        user: String,
        /// What kept the user out.
        what: String,
        /// What was done about it, as a clause: `corrected in /etc/ssh/sshd_config`.
        how: String,
    },
    /// An ssh server that nothing started was enabled.
    SshServerEnabled {
        /// The server's program.
        program: String,
        /// The unit.
        unit: String,
    },
    /// Another network program was told to leave the interface alone.
    RivalKeptOff {
        /// The interface.
        interface: String,
        /// What sets its address.
        chosen: &'static str,
        /// What also would have.
        other: &'static str,
    },
    /// dhcpcd was told to leave the interface alone.
    DhcpcdKeptOff {
        /// The interface.
        interface: String,
        /// dhcpcd's file.
        path: &'static str,
    },
    /// Users whose passwords everybody knows.
    DefaultPasswords {
        /// The users, each with the password, or `None` if there is none.
        users: Vec<(String, Option<String>)>,
    },
    /// A key pair of the image stays, because its user is not one of `ssh.users`.
    KeysLeft {
        /// The user.
        user: String,
        /// The private halves.
        paths: Vec<String>,
    },
    /// The line that accepts a key pair of the image cannot be detected.
    KeyLineUnknown {
        /// The private half.
        path: String,
        /// The authorized_keys file that may have the line.
        authorized_keys: String,
    },
    /// dropbear is too old for the nodes' host keys and keeps those of the image.
    DropbearKeepsHostKeys {
        /// dropbear's program.
        program: String,
    },
    /// Other users can read the password hashes of the image.
    ShadowReadable,
    /// The image does not support the hashes of a password.
    HashUnsupported {
        /// The user.
        user: String,
        /// The prefix of the hashes: `$y$`.
        prefix: String,
    },
    /// `files` writes a file that nodecard would write.
    FileReplaces {
        /// The file.
        path: String,
    },
    /// `files` writes /etc/shadow, and `users` sets passwords.
    FileReplacesPasswords,
    /// A file of `files` exists in the image, and the profile gives only mode or owner.
    FileAttribute {
        /// The file.
        path: String,
        /// What the profile gives: `mode` or `owner`.
        given: &'static str,
        /// What it does not give.
        other: &'static str,
        /// What that becomes.
        becomes: &'static str,
    },
    /// Owner and mode of a file on a FAT partition have no effect.
    FileOnFat {
        /// The file.
        path: String,
    },
    /// Another filesystem will be mounted over files.
    FilesHidden {
        /// Where the filesystem is mounted.
        point: String,
        /// What says so.
        at: FileLine,
        /// The files.
        paths: Vec<String>,
    },
    /// An overlay takes what programs write to the root filesystem.
    RootOverlay(Box<OverlayVerdict>),
    /// A connection of NetworkManager's got a lower priority than the node's.
    ConnectionLowered {
        /// Its file.
        path: String,
        /// The interface.
        interface: String,
    },
    /// The interface gets an Ethernet profile, which Wi-Fi does not use.
    EthernetProfile {
        /// The interface.
        interface: String,
    },
    /// netplan builds other interfaces on the node's.
    NetplanBuildsOn {
        /// The interface.
        interface: String,
        /// The names of the others.
        names: Vec<String>,
    },
    /// The image configures other interfaces.
    OtherInterfaces {
        /// The profile's interface.
        interface: String,
        /// The others.
        others: Vec<String>,
    },
    /// Nothing in the image names the interface.
    UnknownInterface {
        /// The interface.
        interface: String,
    },
    /// The interface may get another name at boot.
    MayBeRenamed {
        /// The interface.
        interface: String,
        /// The name, or `None` if the hardware decides.
        new: Option<String>,
        /// The file and the line that say so.
        at: (String, usize),
    },
    /// ifup reads less of its files than is written there.
    IfupReadsLess {
        /// What it does, as a clause without a subject.
        what: &'static str,
        /// The file and the line.
        at: (String, usize),
    },
    /// A stanza that uses the interface was left as it is.
    StanzaLeft {
        /// The stanza's first line.
        stanza: String,
        /// The file.
        path: String,
        /// The interface.
        interface: String,
    },
    /// The interface gets another address besides the node's.
    OtherAddress {
        /// The interface.
        interface: String,
        /// What sets it.
        what: String,
        /// Where: a file and a line.
        at: Option<(String, usize)>,
    },
    /// The profile names no name server.
    NoNameServer,
    /// An even number of managers.
    EvenManagers {
        /// The number.
        managers: usize,
    },
    /// The nodes pull a service's image themselves.
    ImagePulled {
        /// The image.
        image: String,
        /// The service.
        service: String,
    },
    /// The base image's processor cannot be detected.
    UnknownProcessor,
    /// An archive's image is for another processor, which the base's can stand in for.
    OtherProcessor {
        /// The image in the archive.
        image: String,
        /// Its processor.
        architecture: String,
        /// The base image's processor.
        system: String,
    },
    /// A setting may keep a user from logging in by key.
    MayKeepOut {
        /// The user.
        user: String,
        /// The setting, in words.
        what: String,
        /// Where it is: a file and a line.
        at: Option<(String, usize)>,
    },
    /// A setting keeps ssh from reading the known hosts.
    KnownHostsElsewhere {
        /// The file.
        path: String,
        /// Its line.
        line: String,
    },
    /// A kernel argument cannot be removed.
    ArgumentStays {
        /// The argument.
        argument: String,
        /// The file that has it.
        path: String,
    },
    /// A kernel argument that is removed comes back with an update.
    ArgumentComesBack {
        /// The argument.
        argument: String,
        /// The program that writes it.
        path: String,
    },
    /// Lines of config.txt are gone after an update.
    ConfigOverwritten {
        /// The program that writes it.
        path: String,
    },
    /// Kernel arguments cannot be added to a file.
    NoPlaceForArguments {
        /// The file.
        path: String,
    },
    /// A user is to use sudo, which the image does not have.
    NoSudo {
        /// The user.
        user: String,
    },
    /// sudo does not read /etc/sudoers.d.
    SudoersNotRead {
        /// The user.
        user: String,
    },
    /// A known program that changes the card when it boots cannot be disarmed.
    NotDisarmed {
        /// What to call the program.
        program: String,
        /// The file, or its line, that starts it.
        at: String,
        /// What it does, as a clause.
        what: String,
        /// What it changes.
        effects: Vec<Effect>,
    },
    /// A program that is not known may change the card when it boots.
    MayChange {
        /// The program.
        program: String,
        /// Whether it runs when somebody logs in, and not at boot.
        at_login: bool,
        /// What it seems to change.
        effects: Vec<Effect>,
        /// Whether it only names what it may change, and writes files somewhere.
        only_names: bool,
        /// The file and its line.
        at: String,
        /// The text of the line, unless it may hold a password.
        line: Option<String>,
    },
    /// cloud-init reads something that nodecard cannot.
    CloudInitUnread {
        /// The file or its line.
        at: String,
        /// Why it cannot be read.
        why: String,
        /// Whether cloud-init was turned off.
        is_off: bool,
    },
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKind {
    /// A program of the image was disarmed.
    Disarmed,
    /// Something of the image is not on the cards.
    Removed,
    /// Something else that was done, or is good to know.
    Plain,
    /// A setting that may keep the card from working was left as it is.
    Hindrance,
    /// A program that may change the card when it boots was left as it is.
    Boot,
}

impl Note {
    /// Returns what it is about.
    pub fn kind(&self) -> NoteKind {
        match self {
            Note::Disarmed { .. } | Note::CloudInitOff { .. } => NoteKind::Disarmed,
            Note::RemovedAutologin { .. }
            | Note::RemovedKeys { .. }
            | Note::RemovedKeyLines { .. }
            | Note::RemovedImageKeys { .. }
            | Note::RemovedObstacle { .. }
            | Note::RemovedWriteAccess { .. }
            | Note::RemovedNetworkFile { .. }
            | Note::MaskedNetworkFile { .. }
            | Note::RemovedNetworkLine { .. }
            | Note::RemovedIpv6 { .. }
            | Note::RemovedHosts { .. }
            | Note::RemovedSwarm => NoteKind::Removed,
            Note::DropbearKeepsHostKeys { .. }
            | Note::MayKeepOut { .. }
            | Note::KnownHostsElsewhere { .. }
            | Note::ArgumentStays { .. }
            | Note::ArgumentComesBack { .. }
            | Note::ConfigOverwritten { .. }
            | Note::NoPlaceForArguments { .. }
            | Note::FilesHidden { .. }
            | Note::RootOverlay(_)
            | Note::NoSudo { .. }
            | Note::SudoersNotRead { .. } => NoteKind::Hindrance,
            Note::NotDisarmed { .. } | Note::MayChange { .. } | Note::CloudInitUnread { .. } => {
                NoteKind::Boot
            }
            _ => NoteKind::Plain,
        }
    }

    /// Returns whether it is about a setting that may keep the card from working as the
    /// profile says. nodecard leaves such a setting as it is.
    pub fn is_hindrance(&self) -> bool {
        self.kind() == NoteKind::Hindrance
    }

    /// Returns whether it is about a program that may change the card when it boots, and that
    /// nodecard leaves as it is.
    pub fn is_about_boot(&self) -> bool {
        self.kind() == NoteKind::Boot
    }
}
