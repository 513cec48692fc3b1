//! Whether a user gets in by key, decided as sshd decides it (`allowed_user` in OpenSSH's
//! auth.c, `user_key_allowed` in auth2-pubkey.c).

use super::{
    algorithms::{ED25519, assemble},
    authorized_keys,
    command::SshdCommand,
    config::SshdConfig,
    hindrance::{Hindrance, HindranceKind, Repair},
    host::SshHost,
    login::Login,
    patterns::{self, ListMatch},
    permissions::{self, Rules},
};
use crate::{
    FileLine, SystemError, SystemFiles,
    accounts::{Accounts, PASSWD, PasswordState, SHADOW, ShellState, User},
    walk::{End, walk},
};

/// The host key that nodes have.
pub const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

/// What stands between a user and a login by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// What surely keeps the user out.
    pub certain: Vec<Hindrance>,
    /// What may keep the user out: only the running system knows.
    pub uncertain: Vec<Hindrance>,
    /// The files in which the server looks for the user's keys.
    pub key_files: Vec<String>,
}

impl Admission {
    pub(super) fn add(&mut self, certain: bool, kind: HindranceKind) -> &mut Hindrance {
        let list = if certain { &mut self.certain } else { &mut self.uncertain };
        list.push(Hindrance { kind, at: None, repair: None });
        // It was pushed above.
        let last = list.len() - 1;
        &mut list[last]
    }

    /// Returns whether nothing surely keeps the user out.
    pub fn is_open(&self) -> bool {
        self.certain.is_empty()
    }
}

/// Judges a login by key into OpenSSH's sshd, apart from TCP wrappers
/// ([`refused_clients`](super::refused_clients())).
///
/// With `key` (base64) one of the user's key files has to hold it; without, only the way to
/// the files is judged, as far as it exists.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn admission(
    host: &SshHost<'_>,
    login: &Login,
    key: Option<&str>,
) -> Result<Admission, SystemError> {
    let SshHost { files, accounts, .. } = host;
    let config = SshdConfig::read_as(*files, accounts, login, &host.command)?;
    let mut to = Admission::default();
    server(host, login, &config, &mut to)?;
    let Some(user) = accounts.user(&login.user) else {
        to.add(true, HindranceKind::UnknownUser);
        return Ok(to);
    };
    let (key_files, named) = config.key_files(user);
    to.key_files = key_files;
    account(host, user, login, config.flag("usepam", false), &mut to)?;
    shell(*files, user, &config, &mut to)?;
    lists(accounts, user, login, &config, &mut to);
    authentication(user, &config, &mut to);
    keys(host, user, &config, named, key, &mut to)?;
    Ok(to)
}

fn for_user(
    config: &SshdConfig,
    user: &User,
    keyword: &'static str,
    value: &str,
) -> Option<Repair> {
    Some(setting(config.file(), keyword, value, Some(user)))
}

fn setting(file: &str, keyword: &'static str, value: &str, for_user: Option<&User>) -> Repair {
    let for_user = for_user.map(|user| user.name.clone());
    Repair::SshdSetting { file: file.to_owned(), keyword, value: value.to_owned(), for_user }
}

/// Whether sshd, or systemd for it, listens on the node's address.
fn listening(command: &SshdCommand, config: &SshdConfig, login: &Login, to: &mut Admission) {
    let would_listen = config.would_listen_at(login.to);
    let keywords = match (config.leaves_out(login.to), would_listen) {
        (true, _) => ["addressfamily", "listenaddress", "port"],
        (false, false) => ["listenaddress", "port", "addressfamily"],
        (false, true) => ["port", "listenaddress", "addressfamily"],
    };
    let line = keywords.iter().find_map(|keyword| config.lines(keyword).first());
    let line = line.map(|line| line.at.clone());
    // Ports of the configuration add up, unless arguments have some. Another ListenAddress is
    // the owner's decision.
    let can_add = command.ports.is_empty() && !config.ports().contains(&login.port) && would_listen;
    let (answers, at, can_add) = match &command.sockets {
        None => (config.listens_at(login.to, login.port), line, can_add),
        Some(sockets) => {
            let answers = sockets.iter().any(|one| one.answers(login.to, login.port));
            let of_unit = sockets.first().and_then(|one| one.at.clone());
            let is_generated = sockets.first().is_some_and(|one| one.at.is_none());
            (answers, of_unit.or(line), can_add && is_generated)
        }
    };
    if answers {
        return;
    }
    let repair = || setting(&command.config, "Port", &login.port.to_string(), None);
    let added = to.add(true, HindranceKind::NotListening(login.port));
    added.repair = can_add.then(repair);
    added.at = at;
}

/// Whether sshd starts, is reached, and has the host key that the nodes know.
fn server(
    host: &SshHost<'_>,
    login: &Login,
    config: &SshdConfig,
    to: &mut Admission,
) -> Result<(), SystemError> {
    let (files, command) = (host.files, &host.command);
    // The configuration cannot change what is an argument.
    let for_all = |keyword, value: &str, at: Option<&FileLine>| {
        let changeable = at.is_none_or(|at| !command.has(at));
        changeable.then(|| setting(&command.config, keyword, value, None))
    };
    if !SshdConfig::exists(files, command)? {
        to.add(true, HindranceKind::NoConfig(command.config.clone())).at = command.at.clone();
    }
    if host.accounts.user("sshd").is_none() {
        to.add(false, HindranceKind::NoPrivilegeSeparationUser);
    }
    for problem in config.problems() {
        let added = to.add(problem.kind.is_certain(), HindranceKind::Config(problem.kind));
        added.at = Some(problem.at.clone());
        let of_file = Some(&problem.at).filter(|at| !command.has(at));
        added.repair = of_file.map(|at| Repair::CommentOut(at.clone()));
    }
    for line in config.undecided() {
        to.add(false, HindranceKind::UndecidedMatch).at = Some(line.clone());
    }
    listening(command, config, login, to);
    let algorithms = config.word("hostkeyalgorithms");
    if !assemble(algorithms.map(|(value, _)| value)).contains(&ED25519) {
        let at = algorithms.map(|(_, at)| at);
        let added = to.add(true, HindranceKind::HostKeyAlgorithm);
        added.repair = for_all("HostKeyAlgorithms", "+ssh-ed25519", at);
        added.at = at.cloned();
    }
    let host_keys = config.lines("hostkey");
    let named = config.words("hostkey").any(|(path, _)| path == HOST_KEY);
    if !host_keys.is_empty() && !named {
        let added = to.add(true, HindranceKind::HostKeyNotNamed(HOST_KEY.into()));
        added.at = host_keys.first().map(|line| line.at.clone());
        // Such lines add up, wherever they are.
        added.repair = Some(setting(&command.config, "HostKey", HOST_KEY, None));
    }
    if let Some(key) = files.metadata(HOST_KEY)?.filter(|key| key.mode & 0o077 != 0 && key.uid == 0)
    {
        let added = to.add(true, HindranceKind::HostKeyMode(HOST_KEY.into()));
        let (uid, gid, mode) = (key.uid, key.gid, key.mode & 0o600);
        added.repair = Some(Repair::Attributes { path: HOST_KEY.into(), mode, uid, gid });
    }
    Ok(())
}

/// Expiry, locks and /etc/nologin.
fn account(
    host: &SshHost<'_>,
    user: &User,
    login: &Login,
    (pam, pam_line): (bool, Option<&FileLine>),
    to: &mut Admission,
) -> Result<(), SystemError> {
    let SshHost { files, accounts, .. } = host;
    let in_shadow = accounts.shadow(&user.name);
    let in_passwd = Some(FileLine::new(PASSWD, user.line));
    if let Some(entry) = in_shadow {
        let at = Some(FileLine::new(SHADOW, entry.line));
        if entry.account_expired(login.today) {
            let day = entry.expires.unwrap_or_default();
            let added = to.add(true, HindranceKind::AccountExpired(day));
            added.at = at.clone();
            added.repair = Some(Repair::NoAccountExpiry { user: user.name.clone() });
        }
        // Without PAM sshd looks at the password's age for logins by password only.
        if pam && entry.password_expired(login.today) {
            let added = to.add(true, HindranceKind::PasswordExpired);
            added.at = at;
            added.repair = Some(Repair::NoPasswordExpiry { user: user.name.clone() });
        }
    }
    if !pam && accounts.password_state(user) == PasswordState::Locked {
        let (field, at) = match in_shadow {
            Some(entry) if user.password == "x" => {
                (entry.password.as_str(), Some(FileLine::new(SHADOW, entry.line)))
            }
            _ => (user.password.as_str(), in_passwd),
        };
        let added = to.add(true, HindranceKind::Locked);
        added.at = at.or(pam_line.cloned());
        // As impossible as before, and no lock: `*` before a hash keeps it for later.
        let field = format!("*{}", field.trim_start_matches('!').trim_start_matches('*'));
        added.repair = Some(Repair::PasswordField { user: user.name.clone(), field });
    }
    if user.uid != 0 && files.exists("/etc/nologin")? {
        let added = to.add(true, HindranceKind::NologinFile);
        added.repair = Some(Repair::Remove("/etc/nologin".into()));
    }
    Ok(())
}

fn shell(
    files: &dyn SystemFiles,
    user: &User,
    config: &SshdConfig,
    to: &mut Admission,
) -> Result<(), SystemError> {
    let chroot = config.word("chrootdirectory").filter(|(path, _)| *path != "none");
    if let Some((path, at)) = chroot {
        to.add(false, HindranceKind::ChrootDirectory(path.into())).at = Some(at.clone());
    }
    let command = config.lines("forcecommand").first();
    let command = command.filter(|line| line.words.first().is_none_or(|word| word != "none"));
    if let Some(line) = command {
        let kind = HindranceKind::ForceCommand(line.words.join(" "));
        let added = to.add(false, kind);
        (added.at, added.repair) =
            (Some(line.at.clone()), for_user(config, user, "ForceCommand", "none"));
    }
    let state = ShellState::of(files, user)?;
    if state == ShellState::Usable {
        return Ok(());
    }
    // In another root the shell is looked for there.
    let certain = chroot.is_none() || state == ShellState::NoLogin;
    let kind = HindranceKind::Shell(user.login_shell().to_owned(), state);
    let repair = usable_shell(files)?;
    let added = to.add(certain, kind);
    added.at = Some(FileLine::new(PASSWD, user.line));
    added.repair = repair.map(|shell| Repair::Shell { user: user.name.clone(), shell });
    Ok(())
}

/// Returns a shell that the image has: bash, or else sh.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn usable_shell(files: &dyn SystemFiles) -> Result<Option<String>, SystemError> {
    for shell in ["/bin/bash", "/bin/sh"] {
        let candidate = User {
            name: String::new(),
            password: String::new(),
            uid: 0,
            gid: 0,
            comment: String::new(),
            home: String::new(),
            shell: shell.to_owned(),
            line: 0,
        };
        if ShellState::of(files, &candidate)? == ShellState::Usable {
            return Ok(Some(shell.to_owned()));
        }
    }
    Ok(None)
}

/// AllowUsers, DenyUsers, AllowGroups and DenyGroups.
fn lists(accounts: &Accounts, user: &User, login: &Login, config: &SshdConfig, to: &mut Admission) {
    // Without DNS a host's name is its address.
    let host = login.from.to_string();
    let of_user =
        |pattern: &str| patterns::user(&user.name, &host, login.from, pattern) == ListMatch::Yes;
    let groups = accounts.group_names(user);
    let of_group = |pattern: &str| groups.iter().any(|group| patterns::matches(group, pattern));
    let mut denied = |keyword: &'static str, key: &str, fits: &dyn Fn(&str) -> bool| {
        let Some((_, at)) = config.words(key).find(|(pattern, _)| fits(pattern)) else { return };
        let in_match = config.lines(key).iter().any(|line| line.at == *at && line.in_match);
        let added = to.add(true, HindranceKind::Denied(keyword));
        added.at = Some(at.clone());
        // In a block of its own a list that fits nobody replaces the global one.
        added.repair = for_user(config, user, keyword, "!nobody").filter(|_| !in_match);
    };
    denied("DenyUsers", "denyusers", &of_user);
    denied("DenyGroups", "denygroups", &of_group);
    let mut allowed =
        |keyword: &'static str, key: &str, fits: &dyn Fn(&str) -> bool, value: Option<&str>| {
            let Some(first) = config.lines(key).first() else { return };
            if config.words(key).any(|(pattern, _)| fits(pattern)) {
                return;
            }
            let added = to.add(true, HindranceKind::NotAllowed(keyword));
            added.at = Some(first.at.clone());
            added.repair = value.and_then(|value| for_user(config, user, keyword, value));
        };
    allowed("AllowUsers", "allowusers", &of_user, Some(&user.name));
    allowed("AllowGroups", "allowgroups", &of_group, groups.first().copied());
}

fn authentication(user: &User, config: &SshdConfig, to: &mut Admission) {
    if let (true, Some(at)) = config.flag("refuseconnection", false) {
        let added = to.add(true, HindranceKind::RefuseConnection);
        added.at = Some(at.clone());
        added.repair = for_user(config, user, "RefuseConnection", "no");
    }
    if let (false, Some(at)) = config.flag("pubkeyauthentication", true) {
        let added = to.add(true, HindranceKind::PubkeyAuthenticationOff);
        added.at = Some(at.clone());
        added.repair = for_user(config, user, "PubkeyAuthentication", "yes");
    }
    if let Some((value, at)) = config.word("permitrootlogin").filter(|_| user.uid == 0) {
        let lower = value.to_ascii_lowercase();
        if matches!(lower.as_str(), "no" | "forced-commands-only") {
            // With a forced command a key still lets root in.
            let added = to.add(lower == "no", HindranceKind::PermitRootLogin(value.to_owned()));
            added.at = Some(at.clone());
            added.repair = for_user(config, user, "PermitRootLogin", "prohibit-password");
        }
    }
    let methods = config.lines("authenticationmethods").first();
    let enough = |list: &String| list == "publickey" || list == "any";
    if let Some(line) = methods.filter(|line| !line.words.iter().any(enough)) {
        let kind = HindranceKind::AuthenticationMethods(line.words.join(" "));
        let added = to.add(true, kind);
        added.at = Some(line.at.clone());
        added.repair = for_user(config, user, "AuthenticationMethods", "publickey");
    }
    let accepted = config.word("pubkeyacceptedalgorithms");
    if !assemble(accepted.map(|(value, _)| value)).contains(&ED25519) {
        let added = to.add(true, HindranceKind::KeyAlgorithm);
        added.at = accepted.map(|(_, at)| at.clone());
        added.repair = for_user(config, user, "PubkeyAcceptedAlgorithms", "+ssh-ed25519");
    }
}

/// The way to the user's keys, and what the files say.
fn keys(
    host: &SshHost<'_>,
    user: &User,
    config: &SshdConfig,
    named: Option<FileLine>,
    key: Option<&str>,
    to: &mut Admission,
) -> Result<(), SystemError> {
    let files = host.files;
    if let Some((path, at)) = config.word("revokedkeys").filter(|(path, _)| *path != "none") {
        let missing = !matches!(walk(files, path)?.end, End::Found(..));
        let kind = if missing {
            HindranceKind::RevokedKeysMissing(path.into())
        } else {
            HindranceKind::RevokedKeys(path.into())
        };
        let added = to.add(missing, kind);
        added.at = Some(at.clone());
        added.repair = for_user(config, user, "RevokedKeys", "none").filter(|_| missing);
    }
    if !user.has_home() {
        to.add(true, HindranceKind::NoHome(user.home.clone())).at =
            Some(FileLine::new(PASSWD, user.line));
        return Ok(());
    }
    home(files, user, to)?;
    let usual = user.in_home(".ssh/authorized_keys");
    let rules = if config.flag("strictmodes", true).0 { Rules::Strict } else { Rules::Lax };
    if !to.key_files.contains(&usual) {
        let elsewhere = HindranceKind::KeyFilesElsewhere(to.key_files.clone());
        let added = to.add(true, elsewhere);
        added.at = named;
        added.repair = for_user(config, user, "AuthorizedKeysFile", ".ssh/authorized_keys");
        if key.is_none() {
            return Ok(());
        }
    }
    match key {
        None => {
            let way = permissions::check(host, user, &usual, rules)?;
            to.certain.extend(way.certain);
            to.uncertain.extend(way.uncertain);
        }
        Some(key) => find_key(host, user, rules, key, to)?,
    }
    Ok(())
}

/// Whether the home is there.
pub(super) fn home(
    files: &dyn SystemFiles,
    user: &User,
    to: &mut Admission,
) -> Result<(), SystemError> {
    if let End::Missing(path) = walk(files, &user.home)?.end {
        let added = to.add(true, HindranceKind::HomeMissing(user.home.clone()));
        added.repair = Some(Repair::Directory { path, mode: 0o755, uid: user.uid, gid: user.gid });
    }
    Ok(())
}

/// Looks for a key in the files that can be read. One good file is enough.
fn find_key(
    host: &SshHost<'_>,
    user: &User,
    rules: Rules,
    key: &str,
    to: &mut Admission,
) -> Result<(), SystemError> {
    let mut blocked: Option<permissions::OnTheWay> = None;
    for path in to.key_files.clone() {
        let way = permissions::check(host, user, &path, rules)?;
        let Ok(Some(text)) = host.files.read_text(&path) else { continue };
        let lines = authorized_keys::parse(&text);
        let Some(line) = lines.iter().find(|line| line.is_key(key)) else { continue };
        if !way.certain.is_empty() {
            blocked.get_or_insert(way);
            continue;
        }
        for option in ["cert-authority", "from", "command", "expiry-time"] {
            if line.has_option(option) {
                let certain = option == "cert-authority";
                let added = to.add(certain, HindranceKind::KeyOption(option.into()));
                added.at = Some(FileLine::new(path.clone(), line.line));
            }
        }
        to.uncertain.extend(way.uncertain);
        return Ok(());
    }
    match blocked {
        Some(way) => {
            to.certain.extend(way.certain);
            to.uncertain.extend(way.uncertain);
        }
        None => {
            let usual = user.in_home(".ssh/authorized_keys");
            to.add(true, HindranceKind::KeyMissing).repair = Some(Repair::KeyFile(usual));
        }
    }
    Ok(())
}
