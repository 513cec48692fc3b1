//! Cards of another cluster.

use cluster_keys::{ClusterKeys, is_cluster_key_of};
use plain_text::printable;

use crate::{
    AuditError, Card,
    facts::{names, read_text, without_comment},
};

/// Returns the name of the cluster whose key a user of the card has, if it is not the key of
/// `keys`. A card that was set up by hand has no such key.
///
/// # Errors
/// [`AuditError::Files`] if the root filesystem is damaged.
pub fn other_cluster(card: &Card, keys: &ClusterKeys) -> Result<Option<String>, AuditError> {
    let files = card.files();
    let own = without_comment(keys.cluster().public());
    let mut homes = vec!["/root".to_owned()];
    let users = names(files, "/home").map_err(card.files_error())?;
    homes.extend(users.iter().map(|name| format!("/home/{name}")));
    for home in homes {
        let path = format!("{home}/.ssh/id_ed25519.pub");
        let text = read_text(files, &path).map_err(card.files_error())?;
        let found = text.as_deref().and_then(|line| is_cluster_key_of(line.trim()));
        if let (Some(text), Some(cluster)) = (&text, found)
            && without_comment(text) != own
        {
            return Ok(Some(printable(cluster)));
        }
    }
    Ok(None)
}
