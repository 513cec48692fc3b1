//! Reading a profile: from YAML to a validated [`Cluster`].

mod fields;
mod files;
mod inputs;
mod network;
mod nodes;
mod secrets;
mod ssh;
mod swarm;
mod users;

use std::path::Path;

use fields::{At, Fields, Problems};
use inputs::Inputs;

use crate::{
    cluster::{BaseSpec, Cluster},
    names,
    problem::{Place, Problem, ProfileError},
    size::CardSize,
    yaml::{self, Kind, Value},
};

/// A profile is a page or two; a larger file is something else.
const LARGEST_PROFILE: u64 = 1 << 20;

impl Cluster {
    /// Reads and checks a profile, and reads the files it names (public keys and
    /// the sources of further files, not the base).
    ///
    /// # Errors
    /// [`ProfileError`] with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let unreadable = |message: String, help: &str| ProfileError {
            path: path.to_owned(),
            text: String::new(),
            problems: vec![Problem {
                message,
                help: Some(help.to_owned()),
                place: Place { span: 0..0, line: 1, column: 1 },
                also: None,
            }],
        };
        let bytes = inputs::read_bounded(path, LARGEST_PROFILE).map_err(|reason| {
            unreadable(format!("cannot read the profile: {reason}"), "give the path of a YAML file")
        })?;
        let text = String::from_utf8(bytes).map_err(|_| {
            unreadable("the profile is not UTF-8 text".into(), "give the path of a YAML file")
        })?;
        Cluster::parse(&text, path)
    }

    /// Checks a profile's text. `path` is where it was read from: paths in it are
    /// relative to that file's directory.
    ///
    /// # Errors
    /// [`ProfileError`] with everything that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let error = |text, problems| ProfileError { path: path.to_owned(), text, problems };
        let value = yaml::parse(text)
            .map_err(|problem| error(secrets::of_lines(text).hidden_in(text), vec![*problem]))?;
        let secrets = secrets::of(text, &value);
        let problems = Problems::default();
        let cluster = interpret(value, path, &problems);
        let problems = problems.into_sorted();
        match cluster {
            Some(cluster) if problems.is_empty() => Ok(cluster),
            _ => Err(error(secrets.hidden_in(text), problems)),
        }
    }
}

/// The cluster, if everything it needs is there; what is wrong goes to `problems`.
fn interpret(value: Value, path: &Path, problems: &Problems) -> Option<Cluster> {
    let inputs = Inputs::beside(path);
    if matches!(value.kind, Kind::Null) {
        problems.add(&value.place, "the profile is empty", "begin with `cluster: NAME`");
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
        card: card?,
        network: network?.network,
        root,
        nodes: nodes.into_iter().map(|node| node.node).collect(),
        ssh,
        users,
        hosts,
        files,
        swarm,
        keys,
    })
}

fn cluster_name(fields: &mut Fields<'_>) -> Option<String> {
    let At { value, place } = fields.require_scalar("cluster", "cluster: mc1")?;
    if let Err(reason) = names::host_name(&value) {
        let help = "a cluster's name is made of letters, digits, hyphens and dots, as a host's is";
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
        return Some(BaseSpec { path: inputs.resolve(&path, problems)?, sha256: None });
    }
    let mut base = Fields::of(value, "`base`", problems)?;
    let path = base.require_scalar("path", "path: ubuntu.img.xz");
    let sha256 = base.scalar("sha256").and_then(|digits| {
        let parsed = unhex(&digits.value);
        if parsed.is_none() {
            let help = "copy the first word of what `sha256sum` prints";
            problems.add(&digits.place, "a SHA-256 is 64 hexadecimal digits", help);
        }
        parsed
    });
    base.finish();
    Some(BaseSpec { path: inputs.resolve(&path?, problems)?, sha256 })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

fn card(fields: &mut Fields<'_>) -> Option<CardSize> {
    let At { value, place } = fields.require_scalar("card", "card: 8GB")?;
    match value.parse::<CardSize>() {
        Ok(card) => Some(card),
        Err(error) => {
            fields.problems.add(&place, error.to_string(), error.help);
            None
        }
    }
}

fn root(fields: &mut Fields<'_>) -> Option<u32> {
    let At { value, place } = fields.scalar("root")?;
    match value.parse() {
        Ok(number @ 1..=128) => Some(number),
        _ => {
            let message = format!("{value:?} is no partition's number");
            let help = "partitions are counted from 1; `root: 2` is the second one";
            fields.problems.add(&place, message, help);
            None
        }
    }
}
