//! Secret variables: sealed to each device as soon as they arrive, never kept in the clear.

use sallyport_api::Variable;
use sallyport_grant::Hex;
use sallyport_grant::body::EnvName;
use sallyport_grant::sealed::{OVERHEAD_BYTES, Place, SecretValue, commitment, seal};
use sallyport_model::{Digest, GrantId, limits};
use sallyport_store::ops::requests::Sealed;
use sallyport_store::ops::targets::DeviceFacts;

use crate::Refusal;
use crate::outside::{Entropy, random};

/// Secrets of a run: what the grant commits to, and what each device gets.
pub(super) struct SealedSecrets {
    pub(super) commitments: Vec<(String, Digest)>,
    pub(super) sealed: Vec<Sealed>,
}

/// Seals every secret to every device.
pub(super) fn seal_all(
    entropy: &dyn Entropy,
    grant: GrantId,
    secrets: &[Variable],
    devices: &[DeviceFacts],
) -> Result<SealedSecrets, Refusal> {
    if secrets.len() > limits::SECRETS {
        return Err(Refusal::field("secrets", format!("at most {}", limits::SECRETS)));
    }
    let bytes: usize = secrets.iter().map(|secret| secret.value.len() + OVERHEAD_BYTES).sum();
    if bytes.saturating_mul(devices.len()) > limits::SEALED_BYTES {
        return Err(Refusal::field("secrets", "are too long for so many devices; run it on fewer at once"));
    }
    let mut all = SealedSecrets { commitments: Vec::new(), sealed: Vec::with_capacity(secrets.len() * devices.len()) };
    for secret in secrets {
        let name = EnvName::parse(&secret.name).map_err(|error| Refusal::field("secrets", error))?;
        let value = SecretValue::parse(secret.value.as_bytes()).map_err(|error| Refusal::field("secrets", error))?;
        let salt: [u8; 32] = random(entropy);
        all.commitments.push((secret.name.clone(), commitment(&salt, &value)));
        for device in devices {
            let place = Place { grant, name: &name };
            let sealed =
                seal(&Hex(device.seal_key), place, &salt, &value, random(entropy)).map_err(|error| Refusal::field("secrets", error))?;
            all.sealed.push(Sealed { device: device.device, name: secret.name.clone(), sealed });
        }
    }
    Ok(all)
}
