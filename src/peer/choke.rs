//! The four flags of a connection (BEP 3): each end chokes or not, and is interested or not.
//! "Connections start out choked and not interested."

/// Which end chokes the other, and which is interested in what the other has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choke {
    /// We do not answer its requests.
    pub am_choking: bool,
    /// It has something that we want.
    pub am_interested: bool,
    /// It does not answer our requests.
    pub peer_choking: bool,
    /// We have something that it wants.
    pub peer_interested: bool,
}

impl Default for Choke {
    fn default() -> Choke {
        Choke {
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
        }
    }
}
