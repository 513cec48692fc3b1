//! A service as arguments of `docker service create`.

use crate::swarm::{Mount, Publish, Service, ServiceMode};

/// Returns a file for the card's shell, which sets the arguments, and `loaded` if the image
/// came with the card. `file` is its name, and that of the file with the [`environment`].
pub(super) fn arguments(service: &Service, file: &str, loaded: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut option = |name: &str, value: &str| lines.push(format!("--{name} {}", quote(value)));
    option("name", &service.name);
    match service.mode {
        ServiceMode::Replicated(count) => option("replicas", &count.to_string()),
        ServiceMode::Global => option("mode", "global"),
    }
    service.publish.iter().for_each(|port| option("publish", &publish(port)));
    service.constraints.iter().for_each(|constraint| option("constraint", constraint));
    service.mounts.iter().for_each(|mount| option("mount", &self::mount(mount)));
    if !service.env.is_empty() {
        // In a file, so that no list of processes shows the values.
        lines.push(format!("--env-file \"$CONFIG/environments/{file}\""));
    }
    let words = [&service.image].into_iter().chain(&service.command);
    lines.push(words.map(|word| quote(word)).collect::<Vec<_>>().join(" "));
    format!(
        "# Written by nodecard: the arguments of `docker service create`, which is run once.\n\
         loaded={}\n\
         set -- {}\n",
        if loaded { "yes" } else { "''" },
        lines.join(" \\\n\t")
    )
}

/// Returns the variables of a service's containers, as `--env-file` reads them: unquoted.
pub(super) fn environment(service: &Service) -> String {
    service.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// Returns the short form where possible, which old engines know too.
fn publish(port: &Publish) -> String {
    let Publish { published, target, protocol, on_host } = port;
    if *on_host {
        format!("mode=host,published={published},target={target},protocol={protocol}")
    } else {
        format!("{published}:{target}/{protocol}")
    }
}

fn mount(mount: &Mount) -> String {
    let mut text = format!("type={}", mount.kind);
    if let Some(source) = &mount.source {
        text.push_str(&format!(",src={source}"));
    }
    text.push_str(&format!(",dst={}", mount.target));
    if mount.read_only {
        text.push_str(",readonly");
    }
    text
}

/// Quotes a word for a POSIX shell. Unlike [`plain_text::shell_word`] it leaves colons as
/// they are: the files on cards stay the same from one release to the next.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@=,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_reach_the_shell_whole() {
        assert_eq!(quote("node.role==manager"), "node.role==manager");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $HOME"), "'it'\\''s $HOME'");
    }
}
