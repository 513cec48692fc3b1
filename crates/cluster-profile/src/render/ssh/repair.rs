//! What lets a user in whom something keeps out: edits of sshd's configuration, of owners
//! and modes, and of the user's lines in /etc/passwd and /etc/shadow.

use system_model::{
    FileKind, FileLine,
    accounts::{PASSWD, SHADOW},
    sshd::{Hindrance, HindranceKind, Repair},
};

use super::login::PURPOSE;
use crate::{
    Attributes, Change, Purpose, SystemFiles,
    render::{
        RenderError,
        context::Context,
        text::{decode, encode, end_last_line, lines},
    },
};

const DIRECTORY: &str = "/etc/ssh/sshd_config.d";
/// A name that sorts before all others that packages use.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/0-nodecard.conf";

/// Makes the edit that removes a hindrance. Returns the file that it changes, or `None`
/// where no edit does.
pub(super) fn apply(
    to: &mut Context<'_>,
    user: &str,
    hindrance: &Hindrance,
    now: u64,
) -> Result<Option<String>, RenderError> {
    let Some(repair) = &hindrance.repair else { return Ok(None) };
    // Of several lines for a user, the program reads this one.
    let line_in = |path: &str| hindrance.at.as_ref().filter(|at| at.path == path).map(|at| at.line);
    let place = match repair {
        Repair::SshdSetting { file, keyword, value, for_user } => {
            let value = match &hindrance.kind {
                // The owner's keys are where they were.
                HindranceKind::KeyFilesElsewhere(files) => {
                    let plain = files.iter().filter(|file| !file.contains([' ', '"', '%']));
                    let others: Vec<&str> = plain.map(String::as_str).collect();
                    [&[value.as_str()][..], &others].concat().join(" ")
                }
                _ => value.clone(),
            };
            setting(to, file, keyword, &value, for_user.as_deref())?
        }
        Repair::CommentOut(at) => comment_out(to, at)?,
        Repair::Attributes { path, mode, uid, gid } => {
            let attributes = Attributes::exactly(*mode, *uid, *gid);
            own(to, user, path, attributes)?
        }
        Repair::Directory { path, mode, uid, gid } => {
            let attributes = Attributes { mode: *mode, uid: *uid, gid: *gid, enforce: false };
            let purpose = Purpose::HomeDirectory { user: user.to_owned() };
            to.edit(purpose, path.clone(), Change::Directory { attributes });
            Some(path.clone())
        }
        Repair::Remove(path) => {
            to.remove(PURPOSE, path.clone());
            Some(path.clone())
        }
        Repair::PasswordField { user, field } => {
            let in_shadow = |fields: &mut Vec<String>| set(fields, 1, field);
            if to.edited()?.read_text(SHADOW)?.is_some_and(|text| has_line(&text, user)) {
                fields_of(to, SHADOW, user, line_in(SHADOW), in_shadow)?
            } else {
                fields_of(to, PASSWD, user, line_in(PASSWD), in_shadow)?
            }
        }
        Repair::Shell { user, shell } => {
            fields_of(to, PASSWD, user, line_in(PASSWD), |fields| set(fields, 6, shell))?
        }
        Repair::NoAccountExpiry { user } => {
            fields_of(to, SHADOW, user, line_in(SHADOW), |fields| set(fields, 7, ""))?
        }
        Repair::NoPasswordExpiry { user } => {
            let today = match now / (24 * 60 * 60) {
                0 => String::new(),
                day => day.to_string(),
            };
            fields_of(to, SHADOW, user, line_in(SHADOW), |fields| {
                if fields.get(2).is_some_and(|day| day == "0") {
                    set(fields, 2, &today);
                } else {
                    set(fields, 4, "99999");
                    set(fields, 6, "");
                }
            })?
        }
        Repair::ListShell(shell) => list_shell(to, shell)?,
        _ => None,
    };
    // What the profile's `files` write has the last word.
    Ok(place.filter(|place| to.cluster.files.iter().all(|file| file.path != *place)))
}

fn set(fields: &mut Vec<String>, at: usize, value: &str) {
    if fields.len() <= at {
        fields.resize(at + 1, String::new());
    }
    if let Some(field) = fields.get_mut(at) {
        *field = value.to_owned();
    }
}

fn is_of(line: &str, user: &str) -> bool {
    line.strip_prefix(user).is_some_and(|rest| rest.starts_with(':'))
}

fn has_line(text: &str, user: &str) -> bool {
    text.lines().any(|line| is_of(line, user))
}

/// Returns a file's text as it will be, one `char` for each byte.
fn text_of(to: &Context<'_>, path: &str) -> Result<Option<String>, RenderError> {
    Ok(to.edited()?.read(path)?.map(|bytes| decode(&bytes)))
}

/// Changes fields of a user's line: the one with this number, or the first one.
fn fields_of(
    to: &mut Context<'_>,
    path: &str,
    user: &str,
    number: Option<usize>,
    change: impl Fn(&mut Vec<String>),
) -> Result<Option<String>, RenderError> {
    let Some(old) = text_of(to, path)? else { return Ok(None) };
    let mut changed = false;
    let mut new = String::with_capacity(old.len() + 16);
    for (index, line) in lines(&old).into_iter().enumerate() {
        let is_it = number.is_none_or(|number| number == index + 1);
        if changed || !is_it || !is_of(line, user) {
            new.push_str(line);
            continue;
        }
        changed = true;
        let body = line.trim_end_matches(['\n', '\r']);
        let mut fields: Vec<String> = body.split(':').map(str::to_owned).collect();
        change(&mut fields);
        new.push_str(&fields.join(":"));
        new.push_str(line.get(body.len()..).unwrap_or_default());
    }
    let mode = if path == SHADOW { 0o640 } else { 0o644 };
    replace(to, PURPOSE, path, &new, mode);
    Ok(changed.then(|| path.to_owned()))
}

/// Writes a file whose earlier edit, if there is one, keeps its purpose.
fn replace(to: &mut Context<'_>, purpose: Purpose, path: &str, new: &str, mode: u16) {
    let earlier = to.rendered.edits.iter_mut().rev().find(|edit| edit.path == path);
    if let Some(edit) = earlier
        && let Change::Write { contents, .. } = &mut edit.change
    {
        *contents = encode(new);
        return;
    }
    to.write(purpose, path, encode(new), Attributes::root(mode));
}

fn list_shell(to: &mut Context<'_>, shell: &str) -> Result<Option<String>, RenderError> {
    const SHELLS: &str = "/etc/shells";
    let defaults = "/bin/sh\n".to_owned();
    let mut text = text_of(to, SHELLS)?.unwrap_or(defaults);
    end_last_line(&mut text);
    text.push_str(&format!("{shell}\n"));
    replace(to, PURPOSE, SHELLS, &text, 0o644);
    Ok(Some(SHELLS.to_owned()))
}

/// Gives a file or directory this mode and owner.
fn own(
    to: &mut Context<'_>,
    user: &str,
    path: &str,
    attributes: Attributes,
) -> Result<Option<String>, RenderError> {
    // The root directory of the system has no name to edit it by.
    if path == "/" {
        return Ok(None);
    }
    let edited = to.edited()?;
    let found = edited.metadata(path)?;
    let contents = match found.map(|found| found.kind) {
        Some(FileKind::Directory) => None,
        Some(FileKind::Regular) => edited.read(path)?,
        _ => return Ok(None),
    };
    drop(edited);
    let user = user.to_owned();
    match contents {
        None => {
            let purpose = Purpose::HomeDirectory { user };
            to.edit(purpose, path, Change::Directory { attributes });
        }
        Some(contents) => {
            let purpose = if path.starts_with("/etc/ssh/ssh_host_") {
                return Ok(None);
            } else {
                Purpose::AuthorizedKeys { user }
            };
            to.write(purpose, path, contents, attributes);
        }
    }
    Ok(Some(path.to_owned()))
}

fn comment_out(to: &mut Context<'_>, at: &FileLine) -> Result<Option<String>, RenderError> {
    let Some(old) = text_of(to, &at.path)? else { return Ok(None) };
    let mut new = String::with_capacity(old.len() + 1);
    for (index, line) in lines(&old).into_iter().enumerate() {
        if index + 1 == at.line {
            new.push('#');
        }
        new.push_str(line);
    }
    replace(to, Purpose::SshdConfig, &at.path, &new, 0o644);
    Ok(Some(at.path.clone()))
}

/// Puts a setting before all others: at the top of the main file, or for a user into a Match
/// block. Of two settings the first one counts, and blocks come before what is global.
///
/// The block is in a file of its own where sshd includes such files, since lines behind a
/// block belong to it; sshd before 8.2 knows no Include, and gets it before the first block, or
/// at the end.
fn setting(
    to: &mut Context<'_>,
    file: &str,
    keyword: &str,
    value: &str,
    for_user: Option<&str>,
) -> Result<Option<String>, RenderError> {
    let main = text_of(to, file)?.unwrap_or_default();
    let Some(user) = for_user else {
        let new = format!("{keyword} {value}\n{main}");
        replace(to, Purpose::SshdConfig, file, &new, 0o644);
        return Ok(Some(file.to_owned()));
    };
    let header = format!("Match User {user}");
    let line = format!("    {keyword} {value}");
    let (path, mut text) = if includes_directory(&main) {
        (DROP_IN, text_of(to, DROP_IN)?.unwrap_or_default())
    } else {
        (file, main)
    };
    // A second setting for the same user goes into the block that is there.
    let ours = |line: &&str| line.trim_end() == header;
    if path == DROP_IN && text.lines().any(|line| ours(&line)) {
        let all: Vec<String> = text
            .lines()
            .flat_map(|old| {
                if ours(&old) { vec![old.to_owned(), line.clone()] } else { vec![old.to_owned()] }
            })
            .collect();
        text = all.join("\n") + "\n";
    } else {
        // Of two blocks that match, the first one counts.
        let is_block = |line: &&str| {
            let keyword = line.split(['=', ' ', '\t']).find(|word| !word.is_empty());
            keyword.is_some_and(|word| word.trim_end().eq_ignore_ascii_case("match"))
        };
        let all = lines(&text);
        // The drop-in file has nothing but such blocks.
        let foreign = if path == DROP_IN { None } else { all.iter().position(is_block) };
        let first = foreign.unwrap_or(all.len());
        let (mut before, after) = (all[..first].concat(), all[first..].concat());
        end_last_line(&mut before);
        text = format!("{before}{header}\n{line}\n{after}");
    }
    replace(to, Purpose::SshdConfig, path, &text, 0o644);
    Ok(Some(path.to_owned()))
}

/// Returns whether the main file includes the drop-in directory before any block.
fn includes_directory(main: &str) -> bool {
    for line in main.lines() {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default();
        if keyword.eq_ignore_ascii_case("match") {
            return false;
        }
        let whole = [format!("{DIRECTORY}/*.conf"), "sshd_config.d/*.conf".to_owned()];
        if keyword.eq_ignore_ascii_case("include")
            && words.any(|word| whole.iter().any(|path| word.trim_matches('"') == path))
        {
            return true;
        }
    }
    false
}
