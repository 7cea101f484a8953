//! Address blocks that well-known clouds and hosters rent out.
//!
//! A small list on purpose: blocks that have belonged to the same company for years, of those whose machines attackers rent most. A
//! range that touches none of them may still be a cloud's; the rule says so only by what it found. Sources: the companies' own published
//! ranges and the registries' delegations.

/// A block, and whose it is.
pub(super) const CLOUDS: &[(&str, &str)] = &[
    ("3.0.0.0/9", "Amazon Web Services"),
    ("3.128.0.0/9", "Amazon Web Services"),
    ("18.128.0.0/9", "Amazon Web Services"),
    ("52.192.0.0/11", "Amazon Web Services"),
    ("54.144.0.0/12", "Amazon Web Services"),
    ("54.160.0.0/11", "Amazon Web Services"),
    ("2600:1f00::/24", "Amazon Web Services"),
    ("20.33.0.0/16", "Microsoft Azure"),
    ("20.36.0.0/14", "Microsoft Azure"),
    ("20.40.0.0/13", "Microsoft Azure"),
    ("20.48.0.0/12", "Microsoft Azure"),
    ("20.64.0.0/10", "Microsoft Azure"),
    ("40.64.0.0/10", "Microsoft Azure"),
    ("52.224.0.0/11", "Microsoft Azure"),
    ("34.64.0.0/10", "Google Cloud"),
    ("34.128.0.0/10", "Google Cloud"),
    ("35.184.0.0/13", "Google Cloud"),
    ("104.196.0.0/14", "Google Cloud"),
    ("130.211.0.0/16", "Google Cloud"),
    ("2600:1900::/28", "Google Cloud"),
    ("134.209.0.0/16", "DigitalOcean"),
    ("138.197.0.0/16", "DigitalOcean"),
    ("159.65.0.0/16", "DigitalOcean"),
    ("165.22.0.0/16", "DigitalOcean"),
    ("167.99.0.0/16", "DigitalOcean"),
    ("188.166.0.0/16", "DigitalOcean"),
    ("5.9.0.0/16", "Hetzner"),
    ("78.46.0.0/15", "Hetzner"),
    ("88.198.0.0/16", "Hetzner"),
    ("95.216.0.0/15", "Hetzner"),
    ("116.202.0.0/15", "Hetzner"),
    ("135.181.0.0/16", "Hetzner"),
    ("136.243.0.0/16", "Hetzner"),
    ("144.76.0.0/16", "Hetzner"),
    ("148.251.0.0/16", "Hetzner"),
    ("159.69.0.0/16", "Hetzner"),
    ("168.119.0.0/16", "Hetzner"),
    ("188.40.0.0/16", "Hetzner"),
    ("195.201.0.0/16", "Hetzner"),
    ("2a01:4f8::/29", "Hetzner"),
    ("51.38.0.0/16", "OVH"),
    ("51.68.0.0/16", "OVH"),
    ("51.75.0.0/16", "OVH"),
    ("137.74.0.0/16", "OVH"),
    ("145.239.0.0/16", "OVH"),
    ("149.202.0.0/16", "OVH"),
    ("151.80.0.0/16", "OVH"),
    ("188.165.0.0/16", "OVH"),
    ("2001:41d0::/32", "OVH"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrolment::Network;

    #[test]
    fn every_block_is_a_network_and_listed_once() {
        let blocks: Vec<Network> = CLOUDS.iter().map(|(block, _)| block.parse().unwrap_or_else(|_| panic!("{block}"))).collect();
        for (at, one) in blocks.iter().enumerate() {
            assert!(blocks[at + 1..].iter().all(|other| !one.overlaps(other)), "{one} is listed twice");
        }
    }
}
