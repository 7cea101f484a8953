//! Tickets: what opens one connection of a stream, once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_model::{Digest, GrantId, TenantId, Timestamp, limits};
use sallyport_store::ops::remote::Attachment;

use super::{Remote, Side};

/// What a ticket opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) tenant: TenantId,
    pub(super) grant: GrantId,
    pub(super) side: Side,
    expires: Timestamp,
}

/// Tickets that nobody has used, by their hash. They live as long as the process, at most half a minute.
#[derive(Default)]
pub(super) struct Tickets(Mutex<BTreeMap<Digest, Ticket>>);

impl Tickets {
    fn issue(&self, attachment: &Attachment, side: Side, token: &Token, now: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, ticket| ticket.expires > now);
        let same = |ticket: &Ticket| ticket.grant == attachment.grant && ticket.side == side;
        while waiting.values().filter(|ticket| same(ticket)).count() >= limits::STREAM_TICKETS {
            let oldest = waiting.iter().filter(|(_, ticket)| same(ticket)).min_by_key(|(_, ticket)| ticket.expires);
            let Some(hash) = oldest.map(|(hash, _)| *hash) else { break };
            waiting.remove(&hash);
        }
        let expires = now.plus_secs(limits::STREAM_TICKET_SECS);
        let ticket = Ticket { tenant: attachment.tenant, grant: attachment.grant, side, expires };
        waiting.insert(token.stored(Purpose::Stream), ticket);
    }

    /// Uses a ticket up, whatever comes of it.
    fn take(&self, token: &Token, now: Timestamp) -> Option<Ticket> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&token.stored(Purpose::Stream)).filter(|ticket| ticket.expires > now)
    }

    fn forget(&self, grant: GrantId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, ticket| ticket.grant != grant);
    }
}

impl Remote {
    pub(super) fn issue_client(&self, attachment: &Attachment, random: [u8; 32], now: Timestamp) -> Token {
        let token = Token::from_bytes(random);
        self.0.tickets.issue(attachment, Side::Client, &token, now);
        token
    }

    pub(super) fn issue_device(&self, attachment: &Attachment, random: [u8; 32], now: Timestamp) -> [u8; 32] {
        self.0.tickets.issue(attachment, Side::Device, &Token::from_bytes(random), now);
        random
    }

    pub(super) fn take_ticket(&self, token: &Token, now: Timestamp) -> Option<Ticket> {
        self.0.tickets.take(token, now)
    }

    pub(super) fn forget_tickets(&self, grant: GrantId) {
        self.0.tickets.forget(grant);
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::{DeviceId, RemoteSessionId, SessionId, UserId};

    use super::*;

    fn attachment(n: u8) -> Attachment {
        Attachment {
            grant: GrantId::from_bytes([n; 16]),
            session: RemoteSessionId::from_bytes([2; 16]),
            tenant: TenantId::from_bytes([3; 16]),
            device: DeviceId::from_bytes([4; 16]),
            person: UserId::from_bytes([5; 16]),
            opener: UserId::from_bytes([3; 16]),
            user_session: SessionId::from_bytes([6; 16]),
            envelope: String::new(),
            log_index: 0,
            idle_secs: 60,
            expires: at(1000),
            device_name: String::new(),
            device_key: [7; 32],
            thumbprint: Digest::from_bytes([8; 32]),
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    #[test]
    fn ses_10_a_ticket_works_once_and_for_half_a_minute() {
        let remote = Remote::default();
        let (first, late) = (remote.issue_client(&attachment(1), [1; 32], at(0)), remote.issue_client(&attachment(1), [2; 32], at(0)));
        assert_eq!(remote.take_ticket(&first, at(29)).map(|ticket| ticket.side), Some(Side::Client));
        assert_eq!(remote.take_ticket(&first, at(29)), None);
        assert_eq!(remote.take_ticket(&late, at(30)), None);
        assert_eq!(remote.take_ticket(&Token::from_bytes([9; 32]), at(0)), None);
    }

    #[test]
    fn an_attachment_has_so_many_tickets_and_loses_them_when_it_ends() {
        let remote = Remote::default();
        let tokens: Vec<_> =
            (0..=limits::STREAM_TICKETS).map(|n| remote.issue_client(&attachment(1), [n as u8; 32], at(n as i64))).collect();
        let other = remote.issue_client(&attachment(2), [99; 32], at(0));
        assert_eq!(remote.take_ticket(&tokens[0], at(5)), None, "the oldest went");
        assert!(remote.take_ticket(&tokens[1], at(5)).is_some());
        remote.forget_tickets(GrantId::from_bytes([1; 16]));
        assert_eq!(remote.take_ticket(&tokens[2], at(5)), None);
        assert!(remote.take_ticket(&other, at(5)).is_some());
    }
}
