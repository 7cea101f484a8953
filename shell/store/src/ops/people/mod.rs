//! People: their roles and scopes, invitations, policy, mail.

mod direct;
mod execute;
mod links;
mod mail;
mod policy;
mod rights;
mod seconds;
mod stop;
mod told;
mod users;

pub use direct::{
    DisableExpired, DueReset, EndSessionsOf, FinishReset, ForgetOldLinks, NotMe, NotMeBy, NotMeDone, StopReset, due_resets, expired_users,
};
pub(crate) use execute::{Ground, Told, apply};
pub use execute::{PeopleDone, PeoplePart};
pub use links::{
    ActivationDraft, ChargeActivation, FinishActivation, LinkBy, LinkPurpose, LinkRow, NewLink, RenewLink, SaveActivation,
    factorless_facts, has_factor, live_link,
};
pub(crate) use mail::queue;
pub use mail::{Delivery, DueMail, MailRow, MailStanding, MailTried, NewMail, TakeMail, due_mails, mail_standing, mails};
pub use policy::{RoleRow, TenantPolicy, means_of, policy, roles, users_of_role};
pub(crate) use rights::replace_rights;
pub(crate) use rights::words;
pub use rights::{Within, device_within, devices_within, places, rights_of, rights_of_all, sites_within};
pub(crate) use seconds::touched_places;
pub use seconds::{Touched, eligible_others, may_be_second, may_still_ask, touched};
pub use stop::Stopped;
pub use told::{BeginTelling, NewEntry, Tell, address_of, origin, tenants, untold};
pub use users::{HeldRow, RecentAction, UserRow, count, recent_actions, user, user_by_email, users};
