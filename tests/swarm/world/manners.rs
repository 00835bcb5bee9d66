//! How a node behaves. Its session is always the real one: bad manners are put on what the session
//! sends, on its way out.

use brooklet::base::{BLOCK, Block, Rng};
use brooklet::wire::handshake;
use brooklet::wire::message::frame_len;

/// Ids of the messages by which a peer lets others ask (BEP 3 and 6).
const UNCHOKE: u8 = 1;
const ALLOWED_FAST: u8 = 17;

/// What becomes of a block that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is sent.
    Send,
    /// It is never sent, nor what would follow it.
    Nothing,
    /// It is never sent; what follows is.
    Drop,
    /// A reject is sent for it.
    Reject,
}

/// What a node does to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// What the session does.
    Honest,
    /// All blocks it sends are wrong.
    Poisons,
    /// One block in so many is wrong.
    PoisonsOneIn(u32),
    /// So many blocks are right, and all after these are wrong.
    PoisonsAfter(u32),
    /// It says that it has everything, lets others ask, and never answers.
    Withholds,
    /// It says so, sends every other piece, and never answers for the rest.
    Boasts,
    /// It says so, lets others ask, and rejects all they ask for (BEP 6).
    Rejects,
    /// It never lets anybody ask.
    OnlyTakes,
    /// It has no session: it answers calls and says nothing.
    Mute,
}

impl Manners {
    /// Whether others may ban it.
    pub fn lies(self) -> bool {
        matches!(
            self,
            Manners::Poisons | Manners::PoisonsOneIn(_) | Manners::PoisonsAfter(_)
        )
    }

    /// Whether it claims to have everything from the start.
    pub fn claims_all(self) -> bool {
        let idle = [Manners::Withholds, Manners::Boasts, Manners::Rejects];
        self.lies() || idle.contains(&self)
    }

    /// Bytes that it gives before others know better, if any.
    pub fn gives(self) -> Option<u64> {
        match self {
            Manners::Honest | Manners::PoisonsOneIn(_) | Manners::Boasts => Some(u64::MAX),
            Manners::PoisonsAfter(blocks) => Some(u64::from(blocks * BLOCK)),
            Manners::Poisons
            | Manners::Withholds
            | Manners::Rejects
            | Manners::OnlyTakes
            | Manners::Mute => None,
        }
    }

    /// What it does with a block that it is to send.
    pub fn answers(self, block: Block) -> Answer {
        match self {
            Manners::Withholds => Answer::Nothing,
            Manners::Boasts if block.piece % 2 == 1 => Answer::Drop,
            Manners::Rejects => Answer::Reject,
            _ => Answer::Send,
        }
    }

    /// What is done to the next block, the one after so many: the number that spoils its bytes.
    pub fn spoils(self, sent: u32, node: usize, block: Block, rng: &mut Rng) -> Option<u8> {
        let spoils = match self {
            Manners::Poisons => true,
            Manners::PoisonsOneIn(many) => rng.below(many.into()) == 0,
            Manners::PoisonsAfter(right) => sent >= right,
            _ => false,
        };
        // Two poisoners seldom send the same wrong bytes.
        spoils.then_some((node as u32 * 31 + block.piece) as u8 | 1)
    }

    /// What of these messages is really sent; `greeted`: the handshake was.
    pub fn filter(self, bytes: &[u8], greeted: &mut bool) -> Vec<u8> {
        if self != Manners::OnlyTakes {
            return bytes.to_vec();
        }
        let mut kept = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = if !std::mem::replace(greeted, true) {
                handshake::LEN
            } else {
                frame_len(rest).expect("whole frames") as usize + 4
            };
            let (frame, others) = rest.split_at(whole);
            rest = others;
            let lets = whole != handshake::LEN
                && frame
                    .get(4)
                    .is_some_and(|&id| id == UNCHOKE || id == ALLOWED_FAST);
            if !lets {
                kept.extend_from_slice(frame);
            }
        }
        kept
    }
}
