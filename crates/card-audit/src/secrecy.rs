//! What of a card may be shown.

use cluster_profile::Purpose;

use crate::shadow;

/// Returns whether the contents of a file may be shown: its purpose is no secret, and none
/// of these texts holds a private key or a password hash. An owner may have put one
/// anywhere.
pub(crate) fn may_be_shown<'a>(
    purpose: &Purpose,
    texts: impl IntoIterator<Item = &'a str>,
) -> bool {
    let holds_secret = |text: &str| text.contains("PRIVATE KEY-----") || shadow::holds_hash(text);
    !purpose.is_secret() && !texts.into_iter().any(holds_secret)
}

#[cfg(test)]
mod tests {
    use cluster_profile::{ExtraFileKind, SwarmPart};

    use super::*;

    #[test]
    fn secrets_are_known_by_purpose_and_by_contents() {
        let plain = Purpose::ExtraFile(ExtraFileKind::Plain);
        assert!(may_be_shown(&plain, ["PATH=/bin\n", ""]));
        assert!(!may_be_shown(&plain, ["", "anna:$6$salt$hash:1::::::\n"]));
        assert!(!may_be_shown(&Purpose::HostName, ["-----BEGIN RSA PRIVATE KEY-----\n"]));
        assert!(!may_be_shown(&Purpose::Passwords, [""]));
        assert!(!may_be_shown(&Purpose::Swarm(SwarmPart::Environment), ["A=b\n"]));
    }
}
