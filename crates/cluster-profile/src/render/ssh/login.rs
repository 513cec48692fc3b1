//! Whether the profile's users get in, decided on the finished system as its ssh server
//! decides it, and what lets them in.

use std::net::{IpAddr, Ipv4Addr};

use system_model::{
    FileLine, Systemd,
    sshd::{
        Admission, Client, Hindrance, HindranceKind, Login, Repair, SSHD_CONFIG, SshHost,
        SshServer, admission, asks_for_local_address, dropbear_admission, refused_clients,
        ssh_servers,
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
/// Up to as many nodes are judged in pairs, since the time grows with the square of their number.
const MOST_IN_PAIRS: usize = 64;
/// As many logins are named one by one.
const MOST_LOGINS: usize = 3;
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
    /// The logins that it is about, such as `from xu4-node1`; empty for all of them.
    pub logins: Vec<String>,
}

impl LoginHindrance {
    /// Returns what keeps the user out, and at which logins.
    pub fn what(&self) -> String {
        let kind = self.hindrance.kind.to_string();
        match self.logins.as_slice() {
            [] => kind,
            few if few.len() <= MOST_LOGINS => {
                format!("{kind}, at logins {}", few.join(" and "))
            }
            [first, ..] => {
                format!("{kind}, at logins {first} and {} others", self.logins.len() - 1)
            }
        }
    }
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
    let judge = Judge {
        cluster,
        node: Some(node),
        cluster_key,
        host: SshHost::read(system, systemd)?,
        server,
        now,
    };
    let refused = judge.refused()?;
    for user in users(cluster) {
        found.extend(judge.hindrances(&user, &refused)?);
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

/// A login by ssh that has to work, and what messages call it.
struct Way {
    from: IpAddr,
    to: IpAddr,
    label: String,
}

/// Returns the logins that have to work: to a node, from each of the others. If the card may
/// become any node's, each node is once where a login comes from and once where it leads to, as
/// sshd's settings are mostly about either; with `by_pairs`, each comes from all others.
fn ways(cluster: &Cluster, node: Option<&Node>, by_pairs: bool) -> Vec<Way> {
    let nodes = &cluster.nodes;
    if let Some(node) = node {
        let to = IpAddr::from(node.address);
        let clients = clients(cluster, Some(node)).into_iter();
        return clients
            .map(|client| {
                let name = client.name.unwrap_or_else(|| client.address.to_string());
                Way { from: client.address, to, label: format!("from {name}") }
            })
            .collect();
    }
    if let [one] = nodes.as_slice() {
        return ways(cluster, Some(one), by_pairs);
    }
    let way = |from: &Node, to: &Node| Way {
        from: from.address.into(),
        to: to.address.into(),
        label: format!("from {} to {}", from.name, to.name),
    };
    if by_pairs && nodes.len() <= MOST_IN_PAIRS {
        let pairs = nodes.iter().flat_map(|to| nodes.iter().map(move |from| (from, to)));
        let pairs = pairs.filter(|(from, to)| from.name != to.name);
        return pairs.map(|(from, to)| way(from, to)).collect();
    }
    let next = nodes.iter().cycle().skip(1);
    let mut found: Vec<Way> = nodes.iter().zip(next).map(|(one, next)| way(one, next)).collect();
    if let [first, second] = nodes.as_slice() {
        found = vec![way(second, first), way(first, second)];
    }
    found
}

/// What decides about logins to a card.
struct Judge<'a> {
    cluster: &'a Cluster,
    /// The node whose card it is; `None` for any of them.
    node: Option<&'a Node>,
    cluster_key: &'a str,
    host: SshHost<'a>,
    server: SshServer,
    now: u64,
}

impl Judge<'_> {
    /// Returns what TCP wrappers refuse, which is the same for all users.
    fn refused(&self) -> Result<Vec<(Hindrance, bool)>, SystemError> {
        refused_clients(self.host.files, self.server, &clients(self.cluster, self.node))
    }

    /// Returns what keeps a user out at any of the logins that have to work, what is certain
    /// first.
    fn hindrances(
        &self,
        user: &str,
        refused: &[(Hindrance, bool)],
    ) -> Result<Vec<LoginHindrance>, SystemError> {
        let by_pairs = match self.server {
            SshServer::OpenSsh => asks_for_local_address(self.host.files, &self.host.command)?,
            SshServer::Dropbear => false,
        };
        let ways = ways(self.cluster, self.node, by_pairs);
        let mut found: Vec<LoginHindrance> = Vec::new();
        let mut add = |hindrance: Hindrance, is_certain: bool, label: Option<&str>| {
            let same = |one: &&mut LoginHindrance| {
                one.is_certain == is_certain && one.hindrance == hindrance
            };
            let logins = label.map(str::to_owned);
            match found.iter_mut().find(same) {
                Some(one) => one.logins.extend(logins),
                None => found.push(LoginHindrance {
                    user: user.to_owned(),
                    hindrance,
                    is_certain,
                    logins: logins.into_iter().collect(),
                }),
            }
        };
        for way in &ways {
            let Admission { certain, uncertain, .. } = self.admission(user, way)?;
            for (list, is_certain) in [(certain, true), (uncertain, false)] {
                for hindrance in list {
                    add(hindrance, is_certain, Some(&way.label));
                }
            }
        }
        for (hindrance, is_certain) in refused {
            add(hindrance.clone(), *is_certain, None);
        }
        for one in &mut found {
            if one.logins.len() == ways.len() {
                one.logins.clear();
            }
        }
        found.sort_by_key(|one| !one.is_certain);
        Ok(found)
    }

    fn admission(&self, user: &str, way: &Way) -> Result<Admission, SystemError> {
        let cluster = self.cluster;
        let from_nodes = cluster.ssh.users.iter().any(|listed| listed == user);
        let login = Login {
            user: user.to_owned(),
            from: way.from,
            to: way.to,
            port: PORT,
            today: i32::try_from(self.now / DAY).unwrap_or(i32::MAX),
        };
        let key = from_nodes.then_some(self.cluster_key);
        let mut admission = match self.server {
            SshServer::OpenSsh => admission(&self.host, &login, key)?,
            SshServer::Dropbear => dropbear_admission(&self.host, &login, key)?,
        };
        // Each node gets a host key of its own, with the right mode.
        admission
            .certain
            .retain(|hindrance| !matches!(hindrance.kind, HindranceKind::HostKeyMode(_)));
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
}

/// Removes what surely keeps users of the profile out, and returns what cannot be removed; notes
/// what may keep them out. Without a node the image is for all of them.
pub(in crate::render) fn let_in(
    to: &mut Context<'_>,
    node: Option<&Node>,
) -> Result<Option<RenderError>, RenderError> {
    let users = users(to.cluster);
    if users.is_empty() {
        return Ok(None);
    }
    let cluster_key = to.keys.cluster().public().split(' ').nth(1).unwrap_or_default().to_owned();
    let now = to.now.max(to.keys.created());
    let mut repaired: Vec<Hindrance> = Vec::new();
    // What stays, if all reasons are wanted.
    let mut kept_out: Vec<LoginHindrance> = Vec::new();
    for round in 0..MOST_ROUNDS {
        let (mut again, mut noted) = (false, Vec::new());
        let edited = to.edited()?;
        let systemd = Systemd::read_later_boots(&edited)?;
        let Some(server) = server(&edited, &systemd)? else {
            return Ok(Some(RenderError::NoSshServer));
        };
        let judge = Judge {
            cluster: to.cluster,
            node,
            cluster_key: &cluster_key,
            host: SshHost::read(&edited, &systemd)?,
            server,
            now,
        };
        let refused = judge.refused()?;
        let mut judged = Vec::new();
        for user in &users {
            judged.push((user, judge.hindrances(user, &refused)?));
        }
        drop(judge);
        drop(edited);
        for (user, found) in judged {
            for found in found {
                if !found.is_certain {
                    noted.push((user, found));
                    continue;
                }
                let hindrance = &found.hindrance;
                // That a user does not exist has been said.
                let is_said =
                    to.refused.wants_all() && hindrance.kind == HindranceKind::UnknownUser;
                if is_of_bare_system(hindrance) || is_said || kept_out.contains(&found) {
                    continue;
                }
                if is_of_profile(to, hindrance) {
                    noted.push((user, found));
                    continue;
                }
                let before = repaired.contains(hindrance);
                let last = round + 1 == MOST_ROUNDS;
                // The repair may move or change the line.
                let said = says(to, hindrance)?;
                let place =
                    if before || last { None } else { repair::apply(to, user, hindrance, now)? };
                let Some(place) = place else {
                    let reason = refusal(to, &found)?;
                    if !to.refused.wants_all() {
                        return Ok(Some(reason));
                    }
                    to.refused.add(reason)?;
                    kept_out.push(found);
                    continue;
                };
                to.note(repaired_note(user, hindrance, &said, &place));
                repaired.push(found.hindrance);
                again = true;
                // Other hindrances may have the same cause.
                break;
            }
            if again {
                break;
            }
        }
        if !again {
            for (user, found) in noted {
                let (hindrance, kind) = (&found.hindrance, found.what());
                let (what, at) = match &hindrance.at {
                    Some(at) if is_of_sshd(at) => {
                        (format!("{} ({kind})", says(to, hindrance)?), None)
                    }
                    Some(at) => (kind, image_line(to, at)?.map(|at| (at.path, at.line))),
                    None => (kind, None),
                };
                to.note(Note::MayKeepOut { user: user.to_string(), what, at });
            }
            return Ok(None);
        }
    }
    Ok(None)
}

/// Returns whether the image lacks what every system has, so that it says nothing about
/// logins: without any shell, or without sshd's configuration, it is a part of one.
fn is_of_bare_system(hindrance: &Hindrance) -> bool {
    match &hindrance.kind {
        HindranceKind::Shell(..) => hindrance.repair.is_none(),
        HindranceKind::NoConfig(path) => path == SSHD_CONFIG,
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

/// Returns where a line of the finished system is in the image's own file, which has fewer lines
/// above it; `None` if the image has no such line.
fn image_line(to: &Context<'_>, at: &FileLine) -> Result<Option<FileLine>, RenderError> {
    let new = to.edited()?.read_text(&at.path)?.unwrap_or_default();
    let old = to.system.read_text(&at.path)?.unwrap_or_default();
    Ok(line_before(&old, &new, at.line).map(|line| FileLine::new(&at.path, line)))
}

/// Returns the number of a line of a text before lines were inserted into it and others became
/// comments; `None` for a line that was inserted.
fn line_before(old: &str, new: &str, number: usize) -> Option<usize> {
    let same = |old: &str, new: &str| {
        let (old, new) = (old.trim_end(), new.trim_end());
        old == new || new.strip_prefix('#') == Some(old)
    };
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let index = number.checked_sub(1)?;
    let line = new.get(index)?;
    // From the end: what is behind the line is mostly the image's own.
    let (mut at, mut last) = (old.len(), None);
    for behind in new.get(index..)?.iter().rev() {
        let found = old.get(..at)?.last().filter(|one| same(one, behind));
        last = found.map(|_| at);
        at -= usize::from(found.is_some());
    }
    last.filter(|last| old.get(last - 1).is_some_and(|one| same(one, line)))
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

fn refusal(to: &Context<'_>, found: &LoginHindrance) -> Result<RenderError, RenderError> {
    let LoginHindrance { user, hindrance, .. } = found;
    let mut what = found.what();
    if hindrance.at.as_ref().is_some_and(is_of_sshd) {
        what = format!("{}: {what}", says(to, hindrance)?);
    }
    let at = match &hindrance.at {
        Some(at) => image_line(to, at)?,
        None => None,
    };
    let fix = match &hindrance.repair {
        Some(Repair::SshdSetting { keyword, value, .. }) => {
            format!("set `{keyword} {value}` for {user}")
        }
        Some(Repair::CommentOut(line)) => {
            let line = image_line(to, line)?.unwrap_or_else(|| line.clone());
            format!("correct or remove line {} of {}", line.line, line.path)
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
        _ => match &at {
            Some(at) => format!("correct line {} of {}", at.line, at.path),
            None => format!("let {user} log in by key"),
        },
    };
    Ok(RenderError::KeptOut {
        user: user.to_owned(),
        what: plain_text::escaped(&what),
        file: at.as_ref().map(|at| at.path.clone()),
        line: at.map(|at| at.line),
        fix: plain_text::escaped(&fix),
    })
}

/// Returns whether an edit is one of those that let a user in, of which nothing else reports
/// what is wrong.
pub(super) const PURPOSE: Purpose = Purpose::Login;

#[cfg(test)]
mod tests {
    use super::line_before;

    #[test]
    fn lines_are_those_of_the_text_before_others_were_inserted() {
        let old = "Port 22\nDenyUsers a\n\nHostKey x\nDenyUsers a\n";
        let new = "Port 22\nPort 22\nDenyUsers a\nnew\n\n#HostKey x\nMatch User a\nDenyUsers a\n";
        let lines: Vec<_> = (0..=9).map(|number| line_before(old, new, number)).collect();
        let expected = [None, None, Some(1), Some(2), None, Some(3), Some(4), None, Some(5), None];
        assert_eq!(lines, expected);
        assert_eq!(line_before("", "a\n", 1), None);
        assert_eq!(line_before("a\n", "", 1), None);
    }
}
