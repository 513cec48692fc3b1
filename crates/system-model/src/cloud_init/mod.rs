//! cloud-init
use crate::*;
/// cloud-init's state.
#[derive(Debug, Clone)]
pub struct CloudInit {}
/// A change.
#[derive(Debug, Clone)]
pub struct CloudChange {
    /// e
    pub effect: Effect,
    /// m
    pub module: String,
    /// l
    pub location: Location,
    /// t
    pub text: String,
}
impl CloudInit {
    pub(crate) fn read(
        _: &dyn SystemFiles,
        _: &CommandLines,
        _: &Systemd,
    ) -> Result<Option<Self>, SystemError> {
        Ok(None)
    }
    /// x
    pub fn changes(&self) -> &[CloudChange] {
        &[]
    }
    /// x
    pub fn disarm(&self) -> Vec<Disarm> {
        Vec::new()
    }
}
