//! Remote sessions: who is attached to which, until when, and what was recorded.

mod end;
mod open;
mod policy;
mod read;
mod recording;

pub use end::{EndAttachment, EndReason, EndRemoteSession, Ended, KeepReceipt, Lapsed, end_overdue, revoked};
pub(super) use open::open;
pub use open::{NewAttachment, NewWindow};
pub(super) use policy::replace as replace_policy;
pub use policy::{StoredRemotePolicy, remote_policy};
pub use read::{
    Attached, Attaching, Attachment, Filter, Joinable, RemoteSessionRow, any_open, attachment, attachments, device_is_full,
    ended_of_device, is_attachment, joinable, list, may_attach, remote_session, tenant_of,
};
pub use recording::{KeepPiece, Kept, recording_piece};
