//! `nodecard init`: a dialogue that ends in a profile.

use std::{
    io::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use nodecard::{
    BaseFacts, CardSize, ErrorKind, LocalNetwork, NewPassword, NewProfile, NewUser, PasswordHash,
    SwarmServices, check_base, find_bases, find_public_keys, numbered_nodes,
};
use plain_text::{printable, shell_word};
use serde_json::json;

use super::{context, password};
use crate::{
    args::{InitArgs, PasswordsArg, SwarmArg},
    ask::Asker,
    error::{CommandError, print_error, print_line, print_note},
    output::{Verbosity, verbosity},
    report::{self, labelled},
};

/// The sizes of cards that are sold, in GB.
const CARDS: [u64; 7] = [8, 16, 32, 64, 128, 256, 512];

/// The most images that are offered.
const MOST_BASES: usize = 9;

pub fn run(args: &InitArgs) -> Result<ExitCode, CommandError> {
    let asker = Asker::new(args.yes)?;
    let home = platform::directories::home();
    // Nobody should answer ten questions for nothing.
    refuse_existing(args.profile.as_deref())?;
    // From here on, Ctrl-C leaves the terminal as it was.
    let context = context();
    let (base, facts) = loop {
        let base = base(args, asker, home.as_deref())?;
        match BaseFacts::read(&base, &context) {
            Ok(facts) => break (base, facts),
            // Another image may do.
            Err(error) if is_asked(args, asker) && error.kind() != ErrorKind::Interrupted => {
                print_error(&error, error.fix());
            }
            Err(error) => return Err(error.into()),
        }
    };
    let words = facts.words().map(|words| printable(&words));
    if let Some(words) = &words {
        let line = labelled("Base image", &[format!("{}: {words}", base.display())]);
        if verbosity() > Verbosity::Quiet {
            print_line(format_args!("{}", line.trim_end()));
        }
    }
    if facts.interface.is_none() && args.interface.is_none() {
        print_note(format_args!(
            "note: the image does not name its network interface; `ip link` on a node shows it"
        ));
    }
    let cluster = cluster(args, asker)?;
    let profile_path =
        args.profile.clone().unwrap_or_else(|| PathBuf::from(format!("{cluster}.yaml")));
    refuse_existing(Some(&profile_path))?;
    let network = network(args, asker, &facts)?;
    let nodes = nodes(args, asker, &cluster, &network)?;
    let card = card(args, asker, &facts)?;
    let users = users(args, asker, &facts)?;
    let keys = keys(args, asker, home.as_deref(), users.is_empty())?;
    let swarm = swarm(args, asker, &facts)?;
    let directory = profile_path.parent().unwrap_or(Path::new(""));
    let profile = NewProfile {
        cluster,
        base: in_profile(&base, directory, None),
        base_words: words,
        card,
        interface: network.interface,
        prefix: network.prefix,
        gateway: network.gateway,
        dns: network.dns,
        nodes,
        keys: keys.iter().map(|key| in_profile(key, directory, home.as_deref())).collect(),
        users,
        swarm,
    };
    let written = profile.write(&profile_path)?;
    if args.json.json {
        let node = |node: &nodecard::Node| json!({"name": node.name, "address": node.address});
        report::print_json(&json!({
            "profile": profile_path,
            "cluster": written.name,
            "base": base,
            "card_size": written.card.bytes(),
            "nodes": written.nodes.iter().map(node).collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = shell_word(&profile_path.display().to_string());
    let mut out = Vec::new();
    writeln!(out, "{}: a profile for {} nodes", profile_path.display(), written.nodes.len())?;
    for node in &written.nodes {
        writeln!(out, "  {}  {}", node.name, node.address)?;
    }
    writeln!(out, "\nRead it, then check it and write the cards:")?;
    writeln!(out, "  nodecard check {file}")?;
    writeln!(out, "  nodecard devices")?;
    let first = written.nodes.first().map_or("NODE", |node| &node.name);
    writeln!(out, "  nodecard flash {file} {first}=/dev/sdX ...")?;
    report::print_text(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_existing(path: Option<&Path>) -> Result<(), CommandError> {
    match path.filter(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(nodecard::Error::ProfileExists { path: path.to_owned() }.into()),
        None => Ok(()),
    }
}

fn usage(message: impl Into<String>, fix: &'static str) -> CommandError {
    CommandError::Usage { message: message.into(), fix }
}

/// Returns whether the user is asked for the base image.
fn is_asked(args: &InitArgs, asker: Asker) -> bool {
    args.base.is_none() && asker == Asker::Terminal
}

/// Returns a path that was typed, with `~/` as shells read it.
fn typed_path(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.trim().strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text.trim()),
    }
}

/// Chooses the base image.
fn base(args: &InitArgs, asker: Asker, home: Option<&Path>) -> Result<PathBuf, CommandError> {
    if let Some(base) = &args.base {
        return Ok(base.clone());
    }
    let mut places = vec![PathBuf::from(".")];
    places.extend(home.iter().flat_map(|home| [home.join("Downloads"), home.to_path_buf()]));
    let mut found = find_bases(&places);
    found.truncate(MOST_BASES);
    if asker == Asker::Proposals {
        // Which of several images is meant, nobody can guess.
        return match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(usage("no base image was found", "choose one with --base")),
            _ => Err(usage("several base images were found", "choose one with --base")),
        };
    }
    let mut items: Vec<String> =
        found.iter().map(|path| printable(&path.display().to_string())).collect();
    items.push("another file".to_owned());
    let chosen = if found.is_empty() { 0 } else { asker.choice("Base image", &items, 0)? };
    if let Some(path) = found.get(chosen) {
        return Ok(path.clone());
    }
    let is_image = |path: &String| {
        check_base(&typed_path(path, home)).map_err(|error| printable(&error.to_string()))
    };
    let path = asker.value::<String>("Path of the base image", None, is_image)?;
    path.map(|path| typed_path(&path, home)).ok_or(CommandError::Interrupted)
}

/// Names the cluster.
fn cluster(args: &InitArgs, asker: Asker) -> Result<String, CommandError> {
    if let Some(cluster) = &args.cluster {
        return Ok(cluster.clone());
    }
    let of_file = args.profile.as_deref().and_then(Path::file_stem);
    let of_file = of_file.map(|stem| stem.to_string_lossy().into_owned());
    let of_nodes = args.name.as_deref().map(|name| {
        let stem = name.trim_end_matches('-');
        stem.strip_suffix("node").unwrap_or(stem).trim_end_matches('-').to_owned()
    });
    let proposal = of_file.or(of_nodes).filter(|name| !name.is_empty());
    let proposal = proposal.unwrap_or_else(|| "cluster".to_owned());
    let is_name = |name: &String| {
        NewProfile::try_answer(|profile| profile.cluster.clone_from(name))?;
        let path = PathBuf::from(format!("{name}.yaml"));
        if args.profile.is_none() && path.symlink_metadata().is_ok() {
            Err(format!("{} already exists; choose another name", path.display()))
        } else {
            Ok(())
        }
    };
    let name = asker.value("Name of the cluster", Some(proposal), is_name)?;
    name.ok_or(CommandError::Interrupted)
}

struct Network {
    interface: String,
    prefix: u8,
    gateway: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    /// What this computer has.
    local: Option<LocalNetwork>,
}

fn network(args: &InitArgs, asker: Asker, facts: &BaseFacts) -> Result<Network, CommandError> {
    let local = LocalNetwork::detect();
    let gateway = match args.gateway {
        Some(gateway) => Some(gateway),
        None => {
            // Without a network to look at, the address of the nodes says more than nothing.
            let of_nodes = args
                .first_address
                .map(|first| Ipv4Addr::from_bits(first.to_bits() & 0xffff_ff00 | 1));
            let is_near = |local: &&LocalNetwork| match args.first_address {
                Some(first) => {
                    let hosts = u32::MAX.checked_shr(local.prefix.into()).unwrap_or(0);
                    first.to_bits() & !hosts == local.gateway.to_bits() & !hosts
                }
                None => true,
            };
            let proposal = local.as_ref().filter(is_near).map(|local| local.gateway).or(of_nodes);
            asker.value("Gateway (your router)", proposal, |_| Ok(()))?
        }
    };
    // This computer's other values fit only if the cluster is in its network.
    let same = local.filter(|local| Some(local.gateway) == gateway);
    let prefix = match args.prefix {
        Some(prefix) => Some(prefix),
        None => {
            let proposal = same.as_ref().map_or(24, |local| local.prefix);
            let fits = |bits: &u8| match bits {
                1..=30 => Ok(()),
                _ => Err("write a number from 1 to 30; 24 is 255.255.255.0".to_owned()),
            };
            asker.value("Network prefix length in bits", Some(proposal), fits)?
        }
    };
    let dns = if !args.dns.is_empty() {
        args.dns.clone()
    } else {
        let proposal = match &same {
            Some(local) => local.dns.clone(),
            None => gateway.into_iter().collect(),
        };
        let text: Vec<String> = proposal.iter().map(ToString::to_string).collect();
        let read = |text: &str| -> Result<Vec<Ipv4Addr>, String> {
            let words = text.split([' ', ',']).filter(|word| !word.is_empty());
            words
                .map(|word| word.parse().map_err(|_| format!("{word} is not an address")))
                .collect()
        };
        let answer = asker
            .value("Name servers", Some(text.join(" ")), |text: &String| read(text).map(drop))?;
        read(&answer.unwrap_or_default()).unwrap_or_default()
    };
    let interface = match &args.interface {
        Some(interface) => interface.clone(),
        None => {
            let proposal = facts.interface.clone().unwrap_or_else(|| "eth0".to_owned());
            let answer = asker.value(
                "Network interface of the nodes",
                Some(proposal),
                |name: &String| {
                    NewProfile::try_answer(|profile| profile.interface.clone_from(name))
                },
            )?;
            answer.ok_or(CommandError::Interrupted)?
        }
    };
    Ok(Network { interface, prefix: prefix.unwrap_or(24), gateway, dns, local: same })
}

/// Names the nodes and gives them addresses.
fn nodes(
    args: &InitArgs,
    asker: Asker,
    cluster: &str,
    network: &Network,
) -> Result<Vec<(String, Ipv4Addr)>, CommandError> {
    let count = match args.nodes {
        Some(count) => Some(count),
        None => asker.value("Number of nodes", Some(4), |count: &u32| match count {
            1..=1000 => Ok(()),
            _ => Err("write a number from 1 to 1000".to_owned()),
        })?,
    };
    let count = count.unwrap_or(4);
    let name = match &args.name {
        Some(name) => Some(name.clone()),
        None => {
            let stem = cluster.split('.').next().unwrap_or(cluster);
            asker.value(
                "Node names, without the number",
                Some(format!("{stem}-node")),
                |name: &String| {
                    // The last name is the longest.
                    let last = format!("{name}{count}");
                    NewProfile::try_answer(|profile| {
                        profile.nodes.iter_mut().for_each(|node| node.0.clone_from(&last));
                    })
                },
            )?
        }
    };
    let name = name.unwrap_or_default();
    let hosts = u32::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
    let fits = |first: &Ipv4Addr| {
        let Some(nodes) = numbered_nodes(&name, *first, count) else {
            return Err("there are not enough addresses after it".to_owned());
        };
        for (_, address) in nodes {
            let host = address.to_bits() & hosts;
            let is_outside = network
                .gateway
                .is_some_and(|gateway| gateway.to_bits() & !hosts != address.to_bits() & !hosts);
            if is_outside || host == 0 || host == hosts || Some(address) == network.gateway {
                return Err(format!("{address} is not an address for a node of this network"));
            }
        }
        Ok(())
    };
    let first = match args.first_address {
        Some(first) => Some(first),
        None => {
            let known = network.local.as_ref();
            let numbers = [80, 32, 16, 2];
            let in_local = numbers.iter().filter_map(|number| known?.host(*number));
            let near = network
                .gateway
                .map(|gateway| Ipv4Addr::from_bits(gateway.to_bits() & !hosts | 80 & hosts));
            let proposal = in_local.chain(near).find(|first| fits(first).is_ok());
            asker.value("Address of the first node", proposal, fits)?
        }
    };
    let first = first.ok_or_else(|| {
        usage("there is no network to derive addresses from", "give --first-address")
    })?;
    numbered_nodes(&name, first, count).ok_or_else(|| {
        usage("there are not enough addresses for the nodes", "give another --first-address")
    })
}

fn card(args: &InitArgs, asker: Asker, facts: &BaseFacts) -> Result<String, CommandError> {
    if let Some(card) = &args.card {
        return Ok(card.clone());
    }
    let fits = |text: &String| match text.parse::<CardSize>() {
        Ok(card) if card.bytes() < facts.size => {
            Err(format!("the base image is larger: {}", plain_text::size(facts.size)))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            let fix = error.fix().map(|fix| format!("; {fix}")).unwrap_or_default();
            Err(format!("{error}{fix}"))
        }
    };
    let proposal = CARDS.iter().map(|size| format!("{size}GB")).find(|text| fits(text).is_ok());
    let answer = asker.value("Size printed on the cards", proposal, fits)?;
    answer.ok_or_else(|| usage("the base image is larger than any card", "choose another image"))
}

/// Chooses the users, and what becomes of their passwords.
fn users(args: &InitArgs, asker: Asker, facts: &BaseFacts) -> Result<Vec<NewUser>, CommandError> {
    let names: Vec<String> = if !args.users.is_empty() {
        args.users.clone()
    } else {
        let proposal = facts.usual_users().join(" ");
        let split = |names: &str| -> Vec<String> {
            names.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let are_names = |names: &String| {
            let user = |name| NewUser { name, create: false, password: NewPassword::Locked };
            NewProfile::try_answer(|profile| {
                profile.users = split(names).into_iter().map(user).collect();
            })
        };
        let answer = asker.value("Users who log in by key", Some(proposal), are_names)?;
        split(&answer.unwrap_or_default())
    };
    let known: Vec<&str> = facts
        .users
        .iter()
        .filter(|user| user.has_default_password && names.contains(&user.name))
        .map(|user| user.name.as_str())
        .collect();
    if !known.is_empty() && args.passwords.is_none() && args.password_hash.is_none() {
        let users = printable(&known.join(", "));
        print_note(format_args!("note: {users} have well-known default passwords in the image"));
    }
    let given = match &args.password_hash {
        Some(hash) => Some(PasswordHash::new(hash).map_err(nodecard::Error::from)?),
        None => None,
    };
    let passwords = match args.passwords {
        Some(passwords) => passwords,
        None if given.is_some() || names.is_empty() => PasswordsArg::Locked,
        None => {
            let items = ["lock them: accept keys only", "set new ones", "keep those of the image"];
            let items = items.map(str::to_owned);
            match asker.choice("Passwords", &items, 0)? {
                0 => PasswordsArg::Locked,
                1 => PasswordsArg::Ask,
                _ => PasswordsArg::Keep,
            }
        }
    };
    let mut users = Vec::new();
    for name in names {
        let password = match (&given, passwords) {
            (Some(hash), _) if name != "root" => NewPassword::Hash(hash.clone()),
            (Some(_), _) | (None, PasswordsArg::Locked) => NewPassword::Locked,
            (None, PasswordsArg::Keep) => NewPassword::OfImage,
            (None, PasswordsArg::Ask) => {
                let text = password::asked(&format!("New password of {}", printable(&name)))?;
                NewPassword::Hash(PasswordHash::of(&text).map_err(nodecard::Error::from)?)
            }
        };
        let create = !facts.users.iter().any(|user| user.name == name);
        users.push(NewUser { name, create, password });
    }
    Ok(users)
}

/// Chooses the owner's public keys.
fn keys(
    args: &InitArgs,
    asker: Asker,
    home: Option<&Path>,
    nobody: bool,
) -> Result<Vec<PathBuf>, CommandError> {
    if !args.keys.is_empty() || nobody {
        return Ok(args.keys.clone());
    }
    let Some(directory) = home.map(|home| home.join(".ssh")) else { return Ok(Vec::new()) };
    let found = find_public_keys(&directory);
    if found.is_empty() {
        if asker == Asker::Proposals {
            print_note(format_args!(
                "note: there is no public key in ~/.ssh, so only the cluster's own key can be used \
                 to log in to the nodes"
            ));
            return Ok(Vec::new());
        }
        if !asker.is_wanted("You have no ssh key. Create one with ssh-keygen -t ed25519?", true)? {
            return Ok(Vec::new());
        }
        let file = directory.join("id_ed25519");
        let status = Command::new("ssh-keygen").args(["-t", "ed25519", "-f"]).arg(&file).status();
        return match status {
            Ok(status) if status.success() => Ok(vec![file.with_extension("pub")]),
            _ => Err(usage(
                "ssh-keygen did not create a key",
                "create a key yourself, then run \
                            init again",
            )),
        };
    }
    let mut items: Vec<String> =
        found.iter().map(|path| printable(&path.display().to_string())).collect();
    items.push("none".to_owned());
    let chosen =
        if asker == Asker::Proposals { 0 } else { asker.choice("Your public key", &items, 0)? };
    Ok(found.into_iter().nth(chosen).into_iter().collect())
}

fn swarm(
    args: &InitArgs,
    asker: Asker,
    facts: &BaseFacts,
) -> Result<Option<SwarmServices>, CommandError> {
    let chosen = match args.swarm {
        Some(chosen) => chosen,
        // Without Docker in the image, a swarm cannot be built.
        None if !facts.has_docker => SwarmArg::No,
        None => {
            let items = ["no", "yes, without services", "yes, with the services of the article"];
            let items = items.map(str::to_owned);
            match asker.choice("Docker Swarm", &items, 1)? {
                0 => SwarmArg::No,
                1 => SwarmArg::Empty,
                _ => SwarmArg::Article,
            }
        }
    };
    if chosen != SwarmArg::No && !facts.has_docker {
        print_note(format_args!(
            "warning: the base image has no Docker, which a swarm needs; build will reject it"
        ));
    }
    Ok(match chosen {
        SwarmArg::No => None,
        SwarmArg::Empty => Some(SwarmServices::None),
        SwarmArg::Article => Some(SwarmServices::OfArticle),
    })
}

/// Returns a path as the profile names it: with `~/` in the home directory, if that is given,
/// relative to the profile's directory if it is below it, and absolute otherwise.
fn in_profile(path: &Path, directory: &Path, home: Option<&Path>) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = absolute(path);
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let here = absolute(here);
    if let Some(rest) = home.and_then(|home| path.strip_prefix(home).ok()) {
        return format!("~/{}", rest.display());
    }
    path.strip_prefix(&here).unwrap_or(&path).display().to_string()
}
