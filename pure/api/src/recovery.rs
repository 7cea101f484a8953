//! Recovery by the authority kit, and the code that takes a used one's place.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the authority has to sign so that this browser, and no other, is let in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KitChallenge {
    /// Goes into the statement as it is; good once, for five minutes.
    pub challenge: String,
    /// This server's origin, for the statement. Compare it with the one that the kit names.
    pub server: String,
    /// RFC 7638 thumbprint of the key that signed this request, 64 hexadecimal digits, for the statement.
    pub key: String,
}

/// Signs in as a tenant's only owner, who has lost every factor and every recovery code.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KitSignIn {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// An envelope (`application/vnd.sallyport.recovery.v1+json`) with `{"type":"sallyport.recovery/1","tenant","email","server","key",
    /// "challenge"}`, signed by the authority key of the kit.
    pub statement: String,
}

/// A recovery code that takes the place of the one that was used, shown once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FreshRecoveryCode {
    /// Good for one sign-in, like the others that are left.
    pub recovery_code: String,
}
