//! Connections to other vendors' APIs: their terms, their sealed credentials, their calls, and the replacement of credentials.

mod calls;
mod change;
mod read;
mod rotate;

pub use calls::{CallRow, Caller, EndCall, KeepRefusal, SumCalls, TakeCall, Taken, Unsummed, calls_of, unsummed};
pub use change::{ForgetConnectionSecrets, RotateNow, StopConnection, forgettable};
pub(crate) use change::{change, create, keep_asked};
pub use read::{ConnectionRow, Kept, RotationRow, SealedSecret, connection, connections, living, secret_of, unknown_callers};
pub use rotate::{BeginRotation, ClaimRotation, FailRotation, FinishRotation, KeepCandidate, MarkSent, due_rotations};
