//! Keys whose private half came with the base image: everyone who has the image can log in
//! with them.

use std::collections::{BTreeMap, BTreeSet};

use cluster_profile::{ClonedState, ImageKeyPolicy, KeyHalf, SystemError};
use plain_text::printable;
use system_model::{
    SystemFiles, Systemd,
    accounts::Accounts,
    sshd::{DEFAULT_KEY_FILES, ImageKeys, Login, SshdCommand, SshdConfig, parse_authorized_keys},
};

use super::{
    Subject,
    clones::{Clone, Clones},
};
use crate::{ApplyCommand, Finding, FindingCode, FixAction};

/// A line of an account's key file whose key came with the base image.
pub(super) struct ImageLine {
    pub user: String,
    /// The key file.
    pub path: String,
    /// The number of the line, counted from 1.
    line: usize,
    /// The key in base64.
    pub key: String,
    /// The private half; `None` where the profile names the key.
    private: Option<(String, Clone)>,
}

impl ImageLine {
    /// Returns whether it surely is the base image's, and not the owner's.
    pub fn is_certain(&self) -> bool {
        !matches!(self.private, Some((_, Clone::AsOldAsCard)))
    }

    fn finding(self, apply: Option<&ApplyCommand>) -> Finding {
        let code = FindingCode::ClonedUserKey;
        let is_certain = self.is_certain();
        let what = match &self.private {
            None => "this key came with the base image, and the profile's `ssh.image_keys` \
                     removes it"
                .to_owned(),
            Some((private, _)) => format!(
                "the private half of this key came with the base image ({private}), so everyone \
                 who has the image can log in as {}",
                self.user
            ),
        };
        let new = if is_certain { Finding::error } else { Finding::warning };
        let mut finding = new(code, printable(&what), FixAction::RemoveLine).at(&self.path);
        finding.fix.apply = apply.filter(|_| is_certain).cloned();
        finding.line(Some(self.line))
    }
}

/// Returns a finding for each line of any account's key files that such a key opens.
pub(super) fn check(
    subject: &Subject<'_>,
    clones: &Clones<'_>,
    apply: Option<&ApplyCommand>,
) -> Result<Vec<Finding>, SystemError> {
    Ok(lines(subject, clones)?.into_iter().map(|line| line.finding(apply)).collect())
}

/// Returns the lines of any account's key files that such a key opens.
pub(super) fn lines(
    subject: &Subject<'_>,
    clones: &Clones<'_>,
) -> Result<Vec<ImageLine>, SystemError> {
    let files = subject.system;
    let accounts = Accounts::read(files)?;
    let own = own_keys(subject);
    let command = SshdCommand::read(files, &Systemd::read_later_boots(files)?)?;
    let config = SshdConfig::read_as(files, &accounts, &Login::anybody(), &command)?;
    let usual = DEFAULT_KEY_FILES.iter().map(|pattern| (*pattern).to_owned());
    let patterns: Vec<String> = usual.chain(config.all_key_files().iter().cloned()).collect();
    // The lines that let somebody in, each file once.
    let (mut lines, mut seen) = (Vec::new(), BTreeSet::new());
    for user in accounts.users() {
        for path in patterns.iter().filter_map(|pattern| SshdConfig::key_file(pattern, user)) {
            if !seen.insert(path.clone()) {
                continue;
            }
            let Ok(Some(text)) = files.read_text(&path) else { continue };
            let parsed = parse_authorized_keys(&text).into_iter();
            lines.extend(parsed.map(|line| (user.name.as_str(), path.clone(), line)));
        }
    }
    let wanted = lines.iter().map(|(.., line)| line.key.clone());
    let wanted = wanted.filter(|key| !own.contains(key.as_str())).collect();
    let mut known: BTreeMap<String, (String, Clone)> = BTreeMap::new();
    // What is on the card may be its owner's.
    for key in ImageKeys::read_wanted(files, &accounts, &wanted)?.keys {
        let state = ClonedState::UserKey(KeyHalf::Private);
        let clone = clones.find(&key.private, state).ok().flatten().map(|(_, clone)| clone);
        if let (Some(public), Some(clone)) = (key.public, clone) {
            known.insert(public, (key.private, clone));
        }
    }
    if let Some(base) = clones.base {
        let accounts = Accounts::read(base)?;
        for key in ImageKeys::read_wanted(base, &accounts, &wanted)?.keys {
            if let Some(public) = key.public {
                known.insert(public, (key.private, Clone::SameAsBase));
            }
        }
    }
    known.retain(|public, _| !own.contains(public.as_str()));
    let named = named(subject, clones, &own)?;
    if known.is_empty() && named.is_empty() {
        return Ok(Vec::new());
    }
    let found = lines.into_iter().filter_map(|(user, path, line)| {
        let private = known.get(&line.key).cloned();
        (private.is_some() || named.contains(&line.key)).then(|| ImageLine {
            user: user.to_owned(),
            path,
            line: line.line,
            key: line.key,
            private,
        })
    });
    Ok(found.collect())
}

/// Returns the keys that the profile's `ssh.image_keys` removes. All of the image's are those of
/// the base, if that is at hand: what is on the card alone may be its owner's.
fn named(
    subject: &Subject<'_>,
    clones: &Clones<'_>,
    own: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, SystemError> {
    let mut named = BTreeSet::new();
    match &subject.cluster.ssh.image_keys {
        ImageKeyPolicy::Keep => {}
        ImageKeyPolicy::These(keys) => named.extend(keys.iter().cloned()),
        ImageKeyPolicy::Remove => {
            let Some(base) = clones.base else { return Ok(named) };
            let accounts = Accounts::read(base)?;
            for user in accounts.users() {
                for pattern in DEFAULT_KEY_FILES {
                    let Some(path) = SshdConfig::key_file(pattern, user) else { continue };
                    let Ok(Some(text)) = SystemFiles::read_text(base, &path) else { continue };
                    named.extend(parse_authorized_keys(&text).into_iter().map(|line| line.key));
                }
            }
        }
    }
    named.retain(|key| !own.contains(key.as_str()));
    Ok(named)
}

/// Returns the keys that the profile lets in, and the nodes' own.
fn own_keys<'a>(subject: &'a Subject<'_>) -> BTreeSet<&'a str> {
    let Subject { cluster, keys, .. } = subject;
    let base64 =
        |line: &'a str| line.split_ascii_whitespace().find(|word| word.starts_with("AAAA"));
    let wanted = cluster.key_users().into_iter().flat_map(|user| cluster.authorized_keys(user));
    [keys.cluster().public()].into_iter().chain(wanted).filter_map(base64).collect()
}
