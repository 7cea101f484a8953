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
            Ok(()) => self.execute.apply(tx).await.map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }
}
