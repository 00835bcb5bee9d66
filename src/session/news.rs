//! Pieces that were verified and that peers have not been told of.

use crate::base::time::Now;

/// What peers do not know yet.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Pieces that we have and that they have not been told of.
    pub(super) untold: Vec<u32>,
    /// When they were last told of any.
    pub(super) told_at: Option<Now>,
}
