//! In which form each address is dialed, encrypted or not. Of an address nothing is known at first
//! but what other peers say of it, see [`Encryption::begins_encrypted`]. Where the first form fails
//! the other one follows at once, and what has worked is remembered. An address that answers over
//! TCP and hangs up in each form is then called over uTP alone, in the same forms.

use std::net::SocketAddr;

use super::{Candidate, Candidates};
use crate::base::reach::canonical;
use crate::mse::{Encryption, Form};
use crate::wire::extended::exchange::ENCRYPTED;

/// What is known of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Known {
    /// The form in which it is dialed, of [`Encryption::forms`]: whether it is the second one.
    second: Option<bool>,
    /// The peer has taken that form.
    taken: bool,
    /// The other one has just failed.
    again: bool,
    /// It was dialed in the same form once more, since that failed by keys that some misread.
    rekeyed: bool,
    tcp: Tcp,
}

/// What TCP has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tcp {
    /// It is to be tried.
    #[default]
    Tried,
    /// The peer took the connection and hung up, whatever the form: only uTP is left.
    HungUp,
    /// The same, but it said nothing in time.
    Silent,
}

impl Known {
    /// The dial failed, or the connection that came of it is over.
    pub(super) fn on_failed(&mut self) {
        if self.again || !self.taken {
            *self = Known::default();
        }
        self.rekeyed = false;
    }
}

impl Candidates {
    /// In which form to dial an address, and whether the other one is to follow if that fails.
    pub fn form(&mut self, addr: SocketAddr, setting: Encryption) -> (Form, bool) {
        let [first, second] = setting.forms();
        let Some(candidate) = self.candidate(addr) else {
            return (first, false);
        };
        let wishes = candidate.flags & ENCRYPTED != 0;
        let form = &mut candidate.form;
        let usual = || setting.begins_encrypted(wishes);
        let is_second = *form.second.get_or_insert_with(usual);
        let chosen = if is_second { second } else { first };
        (chosen, first != second && !form.again)
    }

    /// The form in which an address was dialed failed. Whether it is to be dialed in the other one.
    pub fn try_other_form(&mut self, addr: SocketAddr, setting: Encryption) -> bool {
        let (_, other) = self.form(addr, setting);
        let candidate = self.candidate(addr).filter(|_| other);
        let form = candidate.map(|it| &mut it.form);
        form.is_some_and(|form| {
            form.second = form.second.map(|second| !second);
            form.again = true;
            true
        })
    }

    /// The form in which an address was dialed failed by keys that some clients misread. Whether it
    /// is to be dialed in that form again: once, since no client has such bad luck twice.
    pub fn try_other_keys(&mut self, addr: SocketAddr) -> bool {
        let candidate = self.candidate(addr);
        candidate.is_some_and(|it| !std::mem::replace(&mut it.form.rekeyed, true))
    }

    /// TCP failed in all forms, after the peer had answered; `silent`: it said nothing. Whether the
    /// address is to be called over uTP now.
    pub fn try_utp(&mut self, addr: SocketAddr, silent: bool) -> bool {
        let tcp = if silent { Tcp::Silent } else { Tcp::HungUp };
        let candidate = self.candidate(addr);
        candidate.is_some_and(|it| {
            let first = it.form.tcp == Tcp::Tried;
            if first {
                it.form = Known {
                    tcp,
                    ..Known::default()
                };
            }
            first
        })
    }

    /// What TCP has come to, at this address.
    pub fn tcp(&mut self, addr: SocketAddr) -> Tcp {
        self.candidate(addr).map_or(Tcp::Tried, |it| it.form.tcp)
    }

    /// A call over uTP alone was not answered: TCP is tried again next time.
    pub fn on_unanswered(&mut self, addr: SocketAddr) {
        let candidate = self.candidate(addr);
        if let Some(candidate) = candidate.filter(|it| it.form.tcp != Tcp::Tried) {
            candidate.form = Known::default();
        }
    }

    /// The peer at this address has taken the form in which it was dialed.
    pub fn on_form_taken(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.candidate(addr) {
            let form = &mut candidate.form;
            (form.taken, form.again, form.rekeyed) = (true, false, false);
        }
    }

    fn candidate(&mut self, addr: SocketAddr) -> Option<&mut Candidate> {
        self.known.get_mut(&canonical(addr))
    }
}
