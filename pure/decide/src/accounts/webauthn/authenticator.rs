//! Authenticator data (WebAuthn Level 3, section 6.1): a fixed head, then what its flags announce, and nothing behind that.

use sallyport_model::limits;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::cbor::Item;
use super::{Backup, Eligibility, Expected, Refused, UserVerification};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// What an authenticator signs, parsed.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested<'a>>,
}

/// A new credential in authenticator data (section 6.5.1).
#[derive(Debug)]
pub(super) struct Attested<'a> {
    pub(super) aaguid: [u8; 16],
    pub(super) credential: &'a [u8],
    /// The COSE key's own bytes.
    pub(super) cose: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refused> {
        if bytes.len() > limits::ATTESTATION_BYTES {
            return Err(Refused::AuthenticatorData);
        }
        let (rp_id_hash, rest) = split(bytes, 32)?;
        let (flags, rest) = split(rest, 1)?;
        let (count, rest) = split(rest, 4)?;
        let flags = flags[0];
        let (attested, rest) = if flags & ATTESTED == 0 { (None, rest) } else { attested(rest).map(|(new, rest)| (Some(new), rest))? };
        let rest = if flags & EXTENSIONS == 0 { rest } else { extensions(rest)? };
        let sign_count = count.iter().fold(0u32, |count, byte| count << 8 | u32::from(*byte));
        if rest.is_empty() { Ok(Self { rp_id_hash, flags, sign_count, attested }) } else { Err(Refused::AuthenticatorData) }
    }

    /// Site, presence, verification, and that the backup flags do not contradict each other.
    pub(super) fn check(&self, expected: &Expected<'_>) -> Result<(), Refused> {
        if !bool::from(self.rp_id_hash.ct_eq(&Sha256::digest(expected.site.rp_id()))) {
            return Err(Refused::Site);
        }
        if self.flags & PRESENT == 0 {
            return Err(Refused::NotPresent);
        }
        if expected.verification == UserVerification::Required && self.flags & VERIFIED == 0 {
            return Err(Refused::NotVerified);
        }
        self.eligibility().map(|_| ())
    }

    pub(super) fn eligibility(&self) -> Result<Eligibility, Refused> {
        match (self.flags & ELIGIBLE != 0, self.flags & BACKED_UP != 0) {
            (true, _) => Ok(Eligibility::Synced),
            (false, false) => Ok(Eligibility::DeviceBound),
            (false, true) => Err(Refused::Backup),
        }
    }

    pub(super) fn backup(&self) -> Backup {
        if self.flags & BACKED_UP == 0 { Backup::None } else { Backup::Done }
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Refused> {
    bytes.split_at_checked(at).ok_or(Refused::AuthenticatorData)
}

fn attested(bytes: &[u8]) -> Result<(Attested<'_>, &[u8]), Refused> {
    let (aaguid, rest) = split(bytes, 16)?;
    let (length, rest) = split(rest, 2)?;
    let (credential, rest) = split(rest, usize::from(length[0]) << 8 | usize::from(length[1]))?;
    let (_, behind) = Item::read(rest).map_err(|_| Refused::AuthenticatorData)?;
    let cose = &rest[..rest.len() - behind.len()];
    let aaguid = aaguid.try_into().map_err(|_| Refused::AuthenticatorData)?;
    Ok((Attested { aaguid, credential, cose }, behind))
}

/// Extensions were not asked for: their form is checked, their content is not looked at.
fn extensions(bytes: &[u8]) -> Result<&[u8], Refused> {
    match Item::read(bytes) {
        Ok((Item::Map(_), behind)) => Ok(behind),
        _ => Err(Refused::AuthenticatorData),
    }
}
