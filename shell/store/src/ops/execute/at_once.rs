//! Freezing and executing in one transaction, where an open step-up window is all that it takes.

use super::{Execute, Executed};
use crate::ops::requests::{Freeze, NotFrozen};
use crate::{Change, StoreError, Tx};

/// A frozen action that nobody waits for. What cannot be executed was never frozen either.
pub struct AtOnce {
    pub freeze: Freeze,
    pub execute: Execute,
}

impl Change for AtOnce {
    /// What was done, or why it was not frozen.
    type Out = Result<Executed, NotFrozen>;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Out, StoreError> {
        match self.freeze.apply(tx).await? {
            Ok(()) => {}
            Err(refused) => return Ok(Err(refused)),
        }
        // That it was asked for is an entry, and not the one of what was done.
        let asked = tx.pending.appended();
        let done = self.execute.apply(tx).await?;
        match tx.pending.appended() == asked {
            true => Err(StoreError::Unaudited),
            false => Ok(Ok(done)),
        }
    }
}
