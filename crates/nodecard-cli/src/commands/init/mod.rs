//! `nodecard init`: a dialogue that ends in a profile.

mod base;
mod network;
mod users;

use std::{
    io::{IsTerminal as _, Write as _, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
};

use nodecard::{BaseFacts, CardSize, ErrorKind, NewProfile, SwarmServices};
use plain_text::{printable, shell_word};
use platform::devices;
use serde_json::json;

use self::{
    base::choose_base,
    network::{choose_network, choose_nodes},
    users::{choose_keys, choose_users},
};
use super::context;
use crate::{
    args::{InitArgs, PasswordsArg, SwarmArg},
    ask::Asker,
    error::{CommandError, print_error, print_line, print_note},
    output::{Verbosity, verbosity},
    report::{self, labelled},
};

/// The sizes of cards that are sold, in GB.
const CARDS: [u64; 7] = [8, 16, 32, 64, 128, 256, 512];

pub fn run(args: &InitArgs) -> Result<ExitCode, CommandError> {
    let asker = Asker::new(args.yes)?;
    let home = platform::directories::home();
    // Nobody should answer ten questions for nothing.
    refuse_existing(args.profile.as_deref())?;
    check_directory(args.profile.as_deref())?;
    if args.passwords == Some(PasswordsArg::Ask) && !stdin().is_terminal() {
        return Err(usage(
            "--passwords ask needs a terminal, on which the new passwords are typed",
            "use --password-hash with a hash from `nodecard password`, or --passwords locked",
        ));
    }
    // From here on, Ctrl-C leaves the terminal as it was.
    let context = context();
    let (base, facts) = loop {
        let base = choose_base(args, asker, home.as_deref())?;
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
    let network = choose_network(args, asker, &facts)?;
    let nodes = choose_nodes(args, asker, &cluster, &network)?;
    let card = card(args, asker, &facts)?;
    let users = choose_users(args, asker, &facts)?;
    let keys = choose_keys(args, asker, home.as_deref(), users.is_empty())?;
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
    let written = profile.write(&profile_path).map_err(without_places)?;
    if args.json.json {
        let node = |node: &nodecard::Node| json!({"name": node.name, "address": node.address});
        report::print_json(&json!({
            "profile": profile_path,
            "cluster": written.name,
            "base": base,
            "card_size": written.card.map(CardSize::bytes),
            "nodes": written.nodes.iter().map(node).collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = shell_word(&profile_path.display().to_string());
    let row = |node: &nodecard::Node| {
        let role = written.swarm.as_ref().map(|_| node.role.to_string());
        [format!("  {}", node.name), node.address.to_string(), role.unwrap_or_default()]
    };
    let mut out = Vec::new();
    let nodes = plain_text::count(written.nodes.len(), "node");
    writeln!(out, "{}: a profile for {nodes}", profile_path.display())?;
    write!(out, "{}", report::table(&written.nodes.iter().map(row).collect::<Vec<_>>()))?;
    if devices::ARE_LISTED {
        let first = written.nodes.first().map_or("NODE", |node| &node.name);
        writeln!(out, "\nRead it, then check it and write the cards:")?;
        writeln!(out, "  nodecard check {file}")?;
        writeln!(out, "  nodecard devices")?;
        writeln!(out, "  nodecard flash {file} {first}=/dev/sdX ...")?;
        if written.nodes.len() > 1 {
            writeln!(out, "or, with one reader:")?;
            writeln!(out, "  nodecard flash {file} --one-reader /dev/sdX")?;
        }
    } else {
        // `build` says what to write the images with.
        writeln!(out, "\nRead it, then check it and build the images of the cards:")?;
        writeln!(out, "  nodecard check {file}")?;
        writeln!(out, "  nodecard build {file}")?;
    }
    report::print_text(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::SUCCESS)
}

/// Turns the problems of a profile that was not written into those of the answers: nobody can look
/// at its lines.
fn without_places(error: nodecard::Error) -> CommandError {
    let nodecard::Error::Profile(problems) = &error else { return error.into() };
    let nodecard::ProfileError::Invalid(found) = &**problems else { return error.into() };
    let texts = found.problems.iter().map(|problem| {
        let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help}", problem.message)
    });
    usage(
        format!("the answers do not go together: {}", texts.collect::<Vec<_>>().join(". ")),
        "change the options, or answer otherwise",
    )
}

/// Checks the value of an option as its answer in the dialogue is checked.
fn checked<T: Clone + ToString>(
    option: &'static str,
    value: &T,
    check: impl FnOnce(&T) -> Result<(), String>,
) -> Result<T, CommandError> {
    match check(value) {
        Ok(()) => Ok(value.clone()),
        Err(reason) => {
            let value = Some(value.to_string());
            Err(CommandError::Option { option, value, reason })
        }
    }
}

fn refuse_existing(path: Option<&Path>) -> Result<(), CommandError> {
    match path.filter(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(nodecard::Error::ProfileExists { path: path.to_owned() }.into()),
        None => Ok(()),
    }
}

/// Returns an error if the profile's directory is missing.
fn check_directory(path: Option<&Path>) -> Result<(), CommandError> {
    let directory = path.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    match directory.filter(|directory| !directory.exists()) {
        Some(directory) => {
            let directory = directory.display().to_string();
            Err(CommandError::Usage {
                message: format!("there is no directory {}", printable(&directory)),
                fix: format!("make it: mkdir -p {}", shell_word(&directory)).into(),
            })
        }
        None => Ok(()),
    }
}

fn usage(message: impl Into<String>, fix: &'static str) -> CommandError {
    CommandError::Usage { message: message.into(), fix: fix.into() }
}

/// Returns whether the user is asked for the base image.
fn is_asked(args: &InitArgs, asker: Asker) -> bool {
    args.base.is_none() && asker == Asker::Terminal
}

/// Names the cluster.
fn cluster(args: &InitArgs, asker: Asker) -> Result<String, CommandError> {
    if let Some(cluster) = &args.cluster {
        return checked("--cluster", cluster, |name| {
            NewProfile::try_answer(|profile| profile.cluster.clone_from(name))
        });
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
    let name = asker.value("Name of the cluster", Some(proposal), "a name", is_name)?;
    name.ok_or(CommandError::Interrupted)
}

fn card(args: &InitArgs, asker: Asker, facts: &BaseFacts) -> Result<String, CommandError> {
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
    if let Some(card) = &args.card {
        return checked("--card", card, fits);
    }
    let proposal = CARDS.iter().map(|size| format!("{size}GB")).find(|text| fits(text).is_ok());
    let answer = asker.value("Size printed on the cards", proposal, "a size", fits)?;
    answer.ok_or_else(|| usage("the base image is larger than any card", "choose another image"))
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
