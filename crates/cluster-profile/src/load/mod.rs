//! Reading a profile: from YAML to a validated [`Cluster`].

mod boot;
mod cloud_init;
mod fields;
mod files;
mod inputs;
mod network;
mod node_groups;
mod nodes;
mod secrets;
mod ssh;
mod stranger;
mod swarm;
mod users;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use fields::{Fields, Problems, Spanned};
use inputs::Inputs;

use crate::{
    cluster::{BaseSpec, Cluster},
    names,
    problem::{Diagnostics, NotAProfile, ProfileError},
    size::CardSize,
    yaml::{self, Kind, Value},
};

/// A profile is a page or two. A larger file is something else.
const LARGEST_PROFILE: u64 = 1 << 20;

impl Cluster {
    /// Reads and checks a profile. Reads the files it names too, such as public keys and the
    /// sources of extra files, but not the base image.
    ///
    /// # Errors
    /// [`ProfileError`] with every problem of the profile.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let unreadable = |source| ProfileError::Unreadable { path: path.to_owned(), source };
        let bytes = inputs::read_bounded(path, LARGEST_PROFILE).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                ErrorKind::NotFound => ProfileError::NotFound { path },
                ErrorKind::PermissionDenied => ProfileError::Denied { path },
                _ if path.is_dir() => ProfileError::Directory { path },
                _ => ProfileError::Unreadable { path, source },
            }
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            // A few wrong bytes in a text have been typed; other files have zeros.
            if error.as_bytes().contains(&0) {
                let found = NotAProfile::Binary;
                ProfileError::NotAProfile { path: path.to_owned(), found }
            } else {
                unreadable(io::Error::new(ErrorKind::InvalidData, error))
            }
        })?;
        Cluster::parse(&text, path)
    }

    /// Checks the text of a profile. Paths in it are relative to the directory of `path`,
    /// which is where it was read from.
    ///
    /// # Errors
    /// [`ProfileError::Invalid`] with every problem of the profile; [`ProfileError::NotAProfile`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let invalid = |text, problems| {
            ProfileError::Invalid(Diagnostics { path: path.to_owned(), text, problems })
        };
        let not_a_profile = |found| ProfileError::NotAProfile { path: path.to_owned(), found };
        let mut value = yaml::parse(text).map_err(|problem| match stranger::of_text(text) {
            Some(found) => not_a_profile(found),
            None => invalid(secrets::in_lines(text).hidden_in(text), vec![*problem]),
        })?;
        if let Some(found) = stranger::of_value(text, &value) {
            return Err(not_a_profile(found));
        }
        let secrets = secrets::in_profile(text, &value);
        let problems = Problems::default();
        fields::remove_repeated_keys(&mut value, &problems);
        let cluster = interpret(value, path, &problems);
        let problems = problems.into_sorted();
        match cluster {
            Some(cluster) if problems.is_empty() => Ok(cluster),
            _ => Err(invalid(secrets.hidden_in(text), problems)),
        }
    }
}

/// Returns the cluster if all it needs is present. Collects the problems.
fn interpret(value: Value, path: &Path, problems: &Problems) -> Option<Cluster> {
    let inputs = Inputs::beside(path);
    if matches!(value.kind, Kind::Null) {
        problems.add(&value.place, "the profile is empty", "start with `cluster: NAME`");
        return None;
    }
    let mut fields = Fields::of(value, "the profile", problems)?;
    let name = cluster_name(&mut fields);
    let base = base(&mut fields, &inputs);
    let card = card(&mut fields);
    let network = network::read(&mut fields);
    let root = root(&mut fields);
    let nodes = nodes::read(&mut fields, network.as_ref(), &inputs);
    let ssh = ssh::read(&mut fields, &inputs);
    let users = users::read(&mut fields, &inputs);
    let hosts = nodes::read_hosts(&mut fields, &nodes);
    let boot = boot::read(&mut fields);
    let cloud_init = cloud_init::read(&mut fields, &inputs);
    let files = files::read(&mut fields, &inputs);
    let keys = fields.scalar("keys").map_or_else(
        || path.with_extension("keys"),
        |keys| inputs.resolve(&keys, problems).unwrap_or_default(),
    );
    let swarm = swarm::read(&mut fields, &nodes, &inputs);
    fields.finish();
    Some(Cluster {
        path: path.to_owned(),
        name: name?,
        base: base?,
        card,
        network: network?.network,
        root,
        nodes: nodes.into_iter().map(|node| node.node).collect(),
        ssh,
        users,
        hosts,
        boot,
        cloud_init,
        files,
        swarm,
        keys,
    })
}

fn cluster_name(fields: &mut Fields<'_>) -> Option<String> {
    let Spanned { value, place } = fields.require_scalar("cluster", "cluster: mc1")?;
    if let Err(reason) = names::host_name(&value) {
        let help = "use letters, digits, hyphens and dots, as in a host name";
        fields.problems.add(&place, reason, help);
        return None;
    }
    Some(value)
}

fn base(fields: &mut Fields<'_>, inputs: &Inputs) -> Option<BaseSpec> {
    let problems = fields.problems;
    let value = fields.require("base", "base: ubuntu.img.xz")?;
    if !matches!(value.kind, Kind::Map(_)) {
        let path = fields::scalar(value, "base", problems)?;
        return base_at(path, None, inputs, problems);
    }
    let mut base = Fields::of(value, "`base`", problems)?;
    let path = base.require_scalar("path", "path: ubuntu.img.xz");
    let sha256 = base.scalar("sha256").and_then(|digits| {
        let parsed = plain_text::from_hex(&digits.value);
        if parsed.is_none() {
            let help = "copy the first word of the output of `sha256sum`";
            problems.add(&digits.place, "a SHA-256 sum has 64 hexadecimal digits", help);
        }
        parsed
    });
    base.finish();
    base_at(path?, sha256, inputs, problems)
}

/// Returns the base image at a path or at an address on the web.
fn base_at(
    path: Spanned<String>,
    sha256: Option<[u8; 32]>,
    inputs: &Inputs,
    problems: &Problems,
) -> Option<BaseSpec> {
    let Some((scheme, _)) = path.value.split_once("://") else {
        return Some(BaseSpec { path: inputs.resolve(&path, problems)?, url: None, sha256 });
    };
    match scheme {
        "https" => {}
        "http" if sha256.is_some() => {}
        "http" => {
            let help = "use https, or write `base: {path: URL, sha256: SUM}`";
            problems.add(
                &path.place,
                "anyone between here and the server can change what http returns",
                help,
            );
        }
        _ => problems.add(
            &path.place,
            format!("{scheme} is not supported"),
            "write an https address, or the path of a file",
        ),
    }
    Some(BaseSpec { path: PathBuf::from(&path.value), url: Some(path.value), sha256 })
}

fn card(fields: &mut Fields<'_>) -> Option<CardSize> {
    let Spanned { value, place } = fields.scalar("card")?;
    match value.parse::<CardSize>() {
        Ok(card) => Some(card),
        Err(error) => {
            let help = error.fix().unwrap_or_default();
            fields.problems.add(&place, error.to_string(), help);
            None
        }
    }
}

fn root(fields: &mut Fields<'_>) -> Option<u32> {
    let Spanned { value, place } = fields.scalar("root")?;
    match value.parse() {
        Ok(number @ 1..=128) => Some(number),
        _ => {
            let message = format!("{value:?} is not the number of a partition");
            let help = "write a number from 1, such as `root: 2` for the second partition";
            fields.problems.add(&place, message, help);
            None
        }
    }
}
