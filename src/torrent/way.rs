//! How the bytes of a connection travel. A peer is dialed over TCP first, and called over uTP a
//! second later, or at once when TCP fails; what is answered first is kept. One that answers over
//! TCP and then hangs up, encrypted or not, is called over uTP alone.

use crate::base::Time;
use crate::peer::EndReason;
use crate::utp::Key;

/// What carries the bytes of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// uTP (BEP 29).
    Utp,
}

impl Transport {
    /// As users see it.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Utp => "utp",
        }
    }

    /// What is added where TCP goes without saying.
    pub fn remark(self) -> &'static str {
        match self {
            Transport::Tcp => "",
            Transport::Utp => ", over uTP",
        }
    }
}

/// The way of one connection.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// What carries it, once it is up.
    pub transport: Transport,
    /// Its connection over uTP, or a call that was not answered yet.
    pub utp: Option<Key>,
    /// When it is to be called over uTP, if TCP has not been answered by then.
    pub call_at: Option<Time>,
    /// When a call is given up, which goes on after TCP has failed.
    pub until: Option<Time>,
    /// A peer has told us to call (BEP 55).
    pub punching: bool,
    /// Why TCP failed, while uTP has not.
    pub failed: Option<EndReason>,
}
