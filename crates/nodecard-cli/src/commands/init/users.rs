//! The users, their passwords, and the owner's keys.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use nodecard::{BaseFacts, NewPassword, NewProfile, NewUser, PasswordHash, find_public_keys};
use plain_text::printable;

use super::{checked, usage};
use crate::{
    args::{InitArgs, PasswordsArg},
    ask::Asker,
    commands::password,
    error::{CommandError, print_note},
};

/// Chooses the users, and what becomes of their passwords.
pub(super) fn choose_users(
    args: &InitArgs,
    asker: Asker,
    facts: &BaseFacts,
) -> Result<Vec<NewUser>, CommandError> {
    let split = |names: &str| -> Vec<String> {
        names.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let are_names = |names: &String| {
        let user = |name| NewUser { name, create: false, password: NewPassword::Locked };
        NewProfile::try_answer(|profile| {
            profile.users = split(names).into_iter().map(user).collect();
        })
    };
    let names: Vec<String> = if !args.users.is_empty() {
        let user = |name: &String| checked("--user", name, are_names);
        args.users.iter().map(user).collect::<Result<_, _>>()?
    } else {
        let proposal = Some(facts.usual_users().join(" "));
        let question = "Users who log in by key";
        let answer = asker.value(question, proposal, "names of users", are_names)?;
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
        Some(hash) => Some(PasswordHash::new(hash).map_err(|error| {
            let fix = error.fix().map(|fix| format!("; {fix}")).unwrap_or_default();
            let (option, reason) = ("--password-hash", format!("{error}{fix}"));
            CommandError::Option { option, value: None, reason }
        })?),
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
                let what = format!("New password of {}", printable(&name));
                NewPassword::Hash(password::asked_until_right(&what)?)
            }
        };
        let create = !facts.users.iter().any(|user| user.name == name);
        users.push(NewUser { name, create, password });
    }
    let created: Vec<String> =
        users.iter().filter(|user| user.create).map(|user| printable(&user.name)).collect();
    if !created.is_empty() {
        print_note(format_args!(
            "note: the image has no user {}; the cards will have a new one",
            created.join(", ")
        ));
    }
    warn_of_default_passwords(facts, &users);
    Ok(users)
}

/// Names the users whose default passwords stay, whether or not the answers were about them.
fn warn_of_default_passwords(facts: &BaseFacts, users: &[NewUser]) {
    let stays = |name: &str| {
        let user = users.iter().find(|user| user.name == name);
        user.is_none_or(|user| matches!(user.password, NewPassword::OfImage))
    };
    let left: Vec<String> = facts
        .users
        .iter()
        .filter(|user| user.has_default_password && stays(&user.name))
        .map(|user| printable(&user.name))
        .collect();
    if let Some(first) = left.first() {
        print_note(format_args!(
            "warning: the well-known default passwords of the image stay: {}; to lock them, write \
             `{first}: {{locked: true}}` under `users:` in the profile",
            left.join(", ")
        ));
    }
}

/// Checks that a file holds public keys as a profile may name it.
fn is_public_key(key: &Path) -> Result<(), String> {
    let key = std::path::absolute(key).unwrap_or_else(|_| key.to_owned());
    let root = || NewUser { name: "root".to_owned(), create: false, password: NewPassword::Locked };
    NewProfile::try_answer(|profile| {
        profile.users = vec![root()];
        profile.keys = vec![key.display().to_string()];
    })
}

/// Chooses the owner's public keys.
pub(super) fn choose_keys(
    args: &InitArgs,
    asker: Asker,
    home: Option<&Path>,
    nobody: bool,
) -> Result<Vec<PathBuf>, CommandError> {
    if nobody {
        return Ok(args.keys.clone());
    }
    if !args.keys.is_empty() {
        for key in &args.keys {
            checked("--key", &key.display().to_string(), |_| is_public_key(key))?;
        }
        return Ok(args.keys.clone());
    }
    let Some(directory) = home.map(|home| home.join(".ssh")) else { return Ok(Vec::new()) };
    let found = find_public_keys(&directory);
    if found.is_empty() {
        if asker == Asker::Proposals {
            print_note(format_args!(
                "note: there is no public key in ~/.ssh, so only the cluster's own key can be used \
                 to log in to the nodes; `ssh-keygen -t ed25519` creates one, for \
                 `authorized_keys` in the profile"
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
                "create a key yourself, then run init again",
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
