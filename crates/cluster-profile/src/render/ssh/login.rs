//! Whether the profile's users get in, decided on the finished system as its ssh server
//! decides it, and what lets them in.

use std::net::{IpAddr, Ipv4Addr};

use system_model::{
    FileLine, Systemd,
    accounts::Accounts,
    sshd::{
        Admission, Client, Hindrance, HindranceKind, Login, Repair, SSHD_CONFIG, SshServer,
        admission, dropbear_admission, refused_clients, ssh_servers,
    },
};

use super::repair;
use crate::{
    Cluster, Node, Note, Purpose, SystemError, SystemFiles,
    render::{RenderError, context::Context},
};

const DAY: u64 = 24 * 60 * 60;
const ROOT: &str = "root";
/// The port that ssh connects to without being told another.
const PORT: u16 = 22;
/// One repair may show what the next hindrance is.
const MOST_ROUNDS: usize = 12;

/// Something that keeps a user of the profile from logging in by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginHindrance {
    /// The user.
    pub user: String,
    /// What it is.
    pub hindrance: Hindrance,
    /// Whether it surely keeps the user out; otherwise only the running system knows.
    pub is_certain: bool,
}

/// Returns what keeps the profile's users from logging in by key over ssh, for a system as
/// it is on a node's card. Without an ssh server there is nothing to judge.
///
/// `systemd` has the units that start at boots after the first; `now` is in seconds since 1970.
///
/// # Errors
/// [`SystemError`] if the system cannot be read.
pub fn login_hindrances(
    cluster: &Cluster,
    node: &Node,
    cluster_key: &str,
    system: &dyn SystemFiles,
    systemd: &Systemd,
    now: u64,
) -> Result<Vec<LoginHindrance>, SystemError> {
    let mut found = Vec::new();
    let Some(server) = server(system, systemd)? else { return Ok(found) };
    let accounts = Accounts::read(system)?;
    let refused = refused_clients(system, server, &clients(cluster, Some(node)))?;
    for user in users(cluster) {
        let mut admission = judge(cluster, cluster_key, system, &accounts, server, &user, now)?;
        add(&mut admission, &refused);
        let Admission { certain, uncertain, .. } = admission;
        for (list, is_certain) in [(certain, true), (uncertain, false)] {
            found.extend(list.into_iter().map(|hindrance| LoginHindrance {
                user: user.clone(),
                hindrance,
                is_certain,
            }));
        }
    }
    Ok(found)
}

/// Returns the users who have to get in by key.
fn users(cluster: &Cluster) -> Vec<String> {
    let mut users: Vec<String> = cluster.key_users().into_iter().map(str::to_owned).collect();
    if cluster.swarm.is_some() && !users.iter().any(|user| user == ROOT) {
        users.push(ROOT.to_owned());
    }
    users
}

/// Returns the server that answers: the one that starts at boot, sshd of two. Without any
/// that starts it is the one that is there.
fn server(system: &dyn SystemFiles, systemd: &Systemd) -> Result<Option<SshServer>, SystemError> {
    let servers = ssh_servers(system, &|unit| systemd.running(unit).is_some())?;
    let starting = servers.iter().find(|server| server.starts());
    let server = starting.or(servers.first()).map(|server| server.server);
    if server.is_none() && system.exists("/usr/sbin/sshd")? {
        return Ok(Some(SshServer::OpenSsh));
    }
    Ok(server)
}

/// Returns who connects to a node: all others, and each of them if the card may become any
/// node's. Without others it is another computer of the network.
fn clients(cluster: &Cluster, node: Option<&Node>) -> Vec<Client> {
    let nodes = &cluster.nodes;
    if let [one] = nodes.as_slice() {
        let neighbour = Ipv4Addr::from_bits(one.address.to_bits() ^ 1);
        return vec![Client { address: neighbour.into(), name: None }];
    }
    let others = nodes.iter().filter(|one| node.is_none_or(|node| node.name != one.name));
    // /etc/hosts of every node gives them these names.
    others.map(|one| Client { address: one.address.into(), name: Some(one.name.clone()) }).collect()
}

/// Adds what TCP wrappers refuse, which is the same for all users.
fn add(admission: &mut Admission, refused: &[(Hindrance, bool)]) {
    for (hindrance, certain) in refused {
        let list = if *certain { &mut admission.certain } else { &mut admission.uncertain };
        list.push(hindrance.clone());
    }
}

fn judge(
    cluster: &Cluster,
    cluster_key: &str,
    system: &dyn SystemFiles,
    accounts: &Accounts,
    server: SshServer,
    user: &str,
    now: u64,
) -> Result<Admission, SystemError> {
    let from_nodes = cluster.ssh.users.iter().any(|listed| listed == user);
    let addresses: Vec<Ipv4Addr> = cluster.nodes.iter().map(|node| node.address).collect();
    let to = addresses.first().copied().unwrap_or(Ipv4Addr::LOCALHOST);
    let login = Login {
        user: user.to_owned(),
        from: IpAddr::from(addresses.get(1).copied().unwrap_or(to)),
        to: IpAddr::from(to),
        port: PORT,
        today: i32::try_from(now / DAY).unwrap_or(i32::MAX),
    };
    let key = from_nodes.then_some(cluster_key);
    let mut admission = match server {
        SshServer::OpenSsh => admission(system, accounts, &login, key)?,
        SshServer::Dropbear => dropbear_admission(system, accounts, &login, key)?,
    };
    // Each node gets a host key of its own, with the right mode.
    admission.certain.retain(|hindrance| !matches!(hindrance.kind, HindranceKind::HostKeyMode(_)));
    // The keys of a swarm come with commands of their own.
    let only_commands = !cluster.key_users().contains(&user);
    admission.uncertain.retain(|hindrance| match &hindrance.kind {
        HindranceKind::PermitRootLogin(_) => !only_commands,
        // Packages of sshd make this user; without it no image would ever have had a login.
        HindranceKind::NoPrivilegeSeparationUser => false,
        // The lines of key files are compared with those that the profile asks for.
        HindranceKind::KeyOption(_) => false,
        _ => true,
    });
    Ok(admission)
}

/// Removes what surely keeps users of the profile out, or refuses the image; notes what may.
/// Without a node the image is for all of them.
pub(in crate::render) fn let_in(
    to: &mut Context<'_>,
    node: Option<&Node>,
) -> Result<(), RenderError> {
    let users = users(to.cluster);
    if users.is_empty() {
        return Ok(());
    }
    let cluster_key = to.keys.cluster().public().split(' ').nth(1).unwrap_or_default().to_owned();
    let now = to.now.max(to.keys.created());
    let mut repaired: Vec<Hindrance> = Vec::new();
    for round in 0..MOST_ROUNDS {
        let (mut again, mut noted) = (false, Vec::new());
        let edited = to.edited()?;
        let Some(server) = server(&edited, &Systemd::read_later_boots(&edited)?)? else {
            to.note(Note::NoSshd);
            return Ok(());
        };
        let accounts = Accounts::read(&edited)?;
        let mut judged = Vec::new();
        let refused = refused_clients(&edited, server, &clients(to.cluster, node))?;
        for user in &users {
            let mut found = judge(to.cluster, &cluster_key, &edited, &accounts, server, user, now)?;
            add(&mut found, &refused);
            judged.push((user, found));
        }
        drop(edited);
        for (user, found) in judged {
            for hindrance in found.certain {
                if is_of_bare_system(&hindrance) {
                    continue;
                }
                if is_of_profile(to, &hindrance) {
                    noted.push((user, hindrance));
                    continue;
                }
                let before = repaired.contains(&hindrance);
                let last = round + 1 == MOST_ROUNDS;
                // The repair may move or change the line.
                let said = says(to, &hindrance)?;
                let place =
                    if before || last { None } else { repair::apply(to, user, &hindrance, now)? };
                let Some(place) = place else { return Err(refusal(to, user, &hindrance)?) };
                to.note(repaired_note(user, &hindrance, &said, &place));
                repaired.push(hindrance);
                again = true;
                // Other hindrances may have the same cause.
                break;
            }
            noted.extend(found.uncertain.into_iter().map(|hindrance| (user, hindrance)));
            if again {
                break;
            }
        }
        if !again {
            for (user, hindrance) in noted {
                let kind = &hindrance.kind;
                let (what, at) = match &hindrance.at {
                    Some(at) if is_of_sshd(at) => {
                        (format!("{} ({kind})", says(to, &hindrance)?), None)
                    }
                    at => (kind.to_string(), at.as_ref().map(|at| (at.path.clone(), at.line))),
                };
                to.note(Note::MayKeepOut { user: user.to_string(), what, at });
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Returns whether the image lacks what every system has, so that it says nothing about
/// logins: without any shell, or without sshd's configuration, it is a part of one.
fn is_of_bare_system(hindrance: &Hindrance) -> bool {
    match &hindrance.kind {
        HindranceKind::Shell(..) => hindrance.repair.is_none(),
        HindranceKind::NoConfig => true,
        _ => false,
    }
}

/// Returns whether the profile's own `files` cause it: its author decided so.
fn is_of_profile(to: &Context<'_>, hindrance: &Hindrance) -> bool {
    let path = match (&hindrance.kind, &hindrance.repair) {
        (HindranceKind::KeyMissing, Some(Repair::KeyFile(path))) => path,
        (_, Some(Repair::Attributes { path, .. })) => path,
        _ => return false,
    };
    to.cluster.files.iter().any(|file| file.path == *path)
}

/// Returns the line that a hindrance comes from, in words.
fn says(to: &Context<'_>, hindrance: &Hindrance) -> Result<String, RenderError> {
    let Some(at) = &hindrance.at else { return Ok(String::new()) };
    let edited = to.edited()?;
    let text = edited.read_text(&at.path)?.unwrap_or_default();
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default().trim();
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, value) = line.split_at(end);
    let value = value.split('#').next().unwrap_or_default();
    Ok(format!("{} in the image says `{}{}`", at.path, keyword.to_lowercase(), value.trim_end()))
}

fn is_of_sshd(at: &FileLine) -> bool {
    at.path == SSHD_CONFIG || at.path.starts_with("/etc/ssh/")
}

/// Returns the note about a repair. `said` is the line that it was about, in words.
fn repaired_note(user: &str, hindrance: &Hindrance, said: &str, place: &str) -> Note {
    let (user, corrected) = (user.to_owned(), format!("corrected in {place}"));
    match (&hindrance.kind, &hindrance.repair) {
        (HindranceKind::PasswordExpired, _) => {
            Note::PasswordChangeDropped { user, path: place.to_owned() }
        }
        (HindranceKind::WritableByOthers { path, .. }, _) => {
            Note::RemovedWriteAccess { path: path.clone() }
        }
        (kind, Some(Repair::Attributes { path, mode, uid, gid })) => Note::LoginCorrected {
            user,
            what: kind.to_string(),
            how: format!("{path} is now {uid}:{gid} {mode:04o}"),
        },
        (kind, _) => {
            let what = match hindrance.at.as_ref().filter(|at| is_of_sshd(at)) {
                Some(_) => format!("{said} ({kind})"),
                None => kind.to_string(),
            };
            Note::LoginCorrected { user, what, how: corrected }
        }
    }
}

fn refusal(
    to: &Context<'_>,
    user: &str,
    hindrance: &Hindrance,
) -> Result<RenderError, RenderError> {
    let mut what = hindrance.kind.to_string();
    if hindrance.at.as_ref().is_some_and(is_of_sshd) {
        what = format!("{}: {what}", says(to, hindrance)?);
    }
    let fix = match &hindrance.repair {
        Some(Repair::SshdSetting { keyword, value, .. }) => {
            format!("set `{keyword} {value}` for {user}")
        }
        Some(Repair::CommentOut(at)) => {
            format!("correct or remove line {} of {}", at.line, at.path)
        }
        Some(Repair::Attributes { path, mode, uid, gid }) => {
            format!("run chown {uid}:{gid} {path} and chmod {mode:04o} {path}")
        }
        Some(Repair::Directory { path, .. }) => format!("create {path}"),
        Some(Repair::Remove(path)) => format!("remove {path}"),
        Some(Repair::PasswordField { .. }) => format!("set `users: {{{user}: {{locked: true}}}}`"),
        Some(Repair::Shell { shell, .. }) => format!("run usermod -s {shell} {user}"),
        Some(Repair::KeyFile(path)) => format!("let the ssh server read {path}"),
        Some(Repair::DropbearOption(option)) => {
            format!("remove {option} from dropbear's arguments")
        }
        _ => match &hindrance.at {
            Some(at) => format!("correct line {} of {}", at.line, at.path),
            None => format!("let {user} log in by key"),
        },
    };
    let at = hindrance.at.as_ref();
    Ok(RenderError::KeptOut {
        user: user.to_owned(),
        what: plain_text::escaped(&what),
        file: at.map(|at| at.path.clone()),
        line: at.map(|at| at.line),
        fix: plain_text::escaped(&fix),
    })
}

/// Returns whether an edit is one of those that let a user in, of which nothing else reports
/// what is wrong.
pub(super) const PURPOSE: Purpose = Purpose::Login;
