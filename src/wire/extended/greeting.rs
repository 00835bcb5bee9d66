//! The extended handshake: a dictionary whose `m` gives each extension a number. The numbers are
//! the sender's: a message of an extension has the number that its *receiver* gave the extension. 0
//! is the handshake itself, and as a number in `m` it switches an extension off.

use std::net::IpAddr;

use super::super::bencode::{self, Dict, Value};
use super::super::{Malformed, one_line};

/// The number of the extended handshake.
pub const HANDSHAKE: u8 = 0;

/// An extension that brooklet speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    /// Peers name each other (BEP 11).
    Exchange,
    /// The `info` dictionary is sent in blocks (BEP 9).
    Metadata,
    /// A peer has two others call each other through their routers (BEP 55).
    HolePunch,
}

impl Extension {
    /// All of them.
    pub const ALL: [Extension; 3] = [
        Extension::Exchange,
        Extension::Metadata,
        Extension::HolePunch,
    ];

    /// What it is called in `m`.
    pub fn name(self) -> &'static str {
        match self {
            Extension::Exchange => "ut_pex",
            Extension::Metadata => "ut_metadata",
            Extension::HolePunch => "ut_holepunch",
        }
    }

    /// The number that our handshake gives it.
    pub fn ours(self) -> u8 {
        match self {
            Extension::Exchange => 1,
            Extension::Metadata => 2,
            Extension::HolePunch => 3,
        }
    }

    /// The extension to which our handshake gives this number.
    pub fn of(number: u8) -> Option<Extension> {
        Extension::ALL.into_iter().find(|it| it.ours() == number)
    }
}

/// What an extended handshake says. What is left out stays as an earlier one said it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExtendedGreeting {
    /// Number of peer exchange, 0 to switch it off.
    pub exchange: Option<u8>,
    /// The same of the metadata extension.
    pub metadata: Option<u8>,
    /// The same of hole punching.
    pub punch: Option<u8>,
    /// Bytes of the `info` dictionary (BEP 9): the sender has it.
    pub metadata_size: Option<u32>,
    /// The port at which the sender listens.
    pub port: Option<u16>,
    /// Whether the sender would rather be dialed with encryption: `e`, which no BEP describes.
    pub encryption: Option<bool>,
    /// Requests that the sender keeps waiting at most.
    pub queue: Option<u32>,
    /// Whether the sender downloads nothing (BEP 21).
    pub upload_only: Option<bool>,
    /// The sender's name and version.
    pub client: Option<String>,
    /// Where the sender sees the receiver.
    pub your_ip: Option<IpAddr>,
}

impl ExtendedGreeting {
    /// Reads the payload of a message of number 0. What cannot be used is left out.
    ///
    /// # Errors
    /// It is no dictionary.
    pub fn parse(payload: &[u8]) -> Result<ExtendedGreeting, Malformed> {
        let (value, _) = bencode::decode_nearest(payload)?;
        let dict = value.dict().ok_or(Malformed {
            what: "an extended handshake is no dictionary",
            at: 0,
        })?;
        let [e, m, size, port, queue, only, client, ip] = dict.pick([
            "e",
            "m",
            "metadata_size",
            "p",
            "reqq",
            "upload_only",
            "v",
            "yourip",
        ]);
        let m = m.and_then(Value::dict);
        Ok(ExtendedGreeting {
            exchange: m.and_then(|m| number(m, Extension::Exchange)),
            metadata: m.and_then(|m| number(m, Extension::Metadata)),
            punch: m.and_then(|m| number(m, Extension::HolePunch)),
            metadata_size: whole(size),
            port: whole(port).filter(|&port| port != 0),
            encryption: e.and_then(Value::int).map(|e| e != 0),
            queue: whole(queue),
            upload_only: only.and_then(Value::int).map(|only| only != 0),
            client: client.and_then(Value::bytes).map(one_line),
            your_ip: ip.and_then(Value::bytes).and_then(address),
        })
    }

    /// Appends the dictionary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let int = |number: u32| bencode::int(i64::from(number));
        let numbers = Extension::ALL.into_iter().filter_map(|it| {
            let number = self.said(it)?;
            Some((it.name(), int(number.into())))
        });
        let octets = |ip| match ip {
            IpAddr::V4(ip) => bencode::bytes(ip.octets()),
            IpAddr::V6(ip) => bencode::bytes(ip.octets()),
        };
        let entries = [
            self.encryption.map(|e| ("e", int(e.into()))),
            Some(("m", bencode::dict(numbers))),
            self.metadata_size.map(|size| ("metadata_size", int(size))),
            self.port.map(|port| ("p", int(port.into()))),
            self.queue.map(|queue| ("reqq", int(queue))),
            self.upload_only
                .map(|only| ("upload_only", int(only.into()))),
            self.client.as_ref().map(|v| ("v", bencode::bytes(v))),
            self.your_ip.map(|ip| ("yourip", octets(ip))),
        ];
        out.extend(bencode::dict(entries.into_iter().flatten()));
    }

    /// Updates this with what a later handshake says.
    pub fn update(&mut self, later: ExtendedGreeting) {
        fn keep<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        keep(&mut self.exchange, later.exchange);
        keep(&mut self.metadata, later.metadata);
        keep(&mut self.punch, later.punch);
        keep(&mut self.metadata_size, later.metadata_size);
        keep(&mut self.port, later.port);
        keep(&mut self.encryption, later.encryption);
        keep(&mut self.queue, later.queue);
        keep(&mut self.upload_only, later.upload_only);
        keep(&mut self.client, later.client);
        keep(&mut self.your_ip, later.your_ip);
    }

    /// The number that the sender gives an extension.
    pub fn number(&self, extension: Extension) -> Option<u8> {
        self.said(extension).filter(|&number| number != HANDSHAKE)
    }

    fn said(&self, extension: Extension) -> Option<u8> {
        match extension {
            Extension::Exchange => self.exchange,
            Extension::Metadata => self.metadata,
            Extension::HolePunch => self.punch,
        }
    }
}

fn number(m: Dict<'_>, extension: Extension) -> Option<u8> {
    u8::try_from(m.int(extension.name())?).ok()
}

fn whole<T: TryFrom<i64>>(value: Option<Value<'_>>) -> Option<T> {
    T::try_from(value?.int()?).ok()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libtorrent 2.0.14 sends it as a seed, its `yourip` replaced.
    const LIBTORRENT: &[u8] =
        b"d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_\
        onlyi3e12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei81991e4:reqqi2000e11\
        :upload_onlyi1e1:v19:libtorrent/2.0.14.06:yourip4:\x0a\x00\x00\x01e";

    #[test]
    fn what_libtorrent_says_is_read() {
        let said = ExtendedGreeting::parse(LIBTORRENT).unwrap();
        assert_eq!(said.number(Extension::Metadata), Some(2));
        assert_eq!(said.number(Extension::Exchange), Some(1));
        assert_eq!(
            (said.metadata_size, said.queue),
            (Some(81_991), Some(2_000))
        );
        assert_eq!((said.upload_only, said.port), (Some(true), None));
        assert_eq!(said.client.as_deref(), Some("libtorrent/2.0.14.0"));
        assert_eq!(said.your_ip, Some([10, 0, 0, 1].into()));
    }

    #[test]
    fn what_we_say_is_sorted_and_read_back() {
        let said = ExtendedGreeting {
            exchange: Some(1),
            metadata: Some(2),
            punch: Some(3),
            metadata_size: Some(5),
            port: Some(6881),
            encryption: Some(true),
            queue: Some(500),
            upload_only: Some(true),
            client: Some("x".into()),
            your_ip: Some([1, 2, 3, 4].into()),
        };
        let mut out = Vec::new();
        said.encode(&mut out);
        assert_eq!(
            out,
            b"d1:ei1e1:md12:ut_holepunchi3e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei5e1:pi6881e4:reqqi500e11:upload_onlyi1e1:v1:x\
              6:yourip4:\x01\x02\x03\x04e"
        );
        assert_eq!(ExtendedGreeting::parse(&out), Ok(said));
        let mut out = Vec::new();
        ExtendedGreeting::default().encode(&mut out);
        assert_eq!(out, b"d1:mdee");
    }

    /// BEP 10: "The handshake message may be sent more than once"; an id of 0 "can be used to
    /// disable" an extension.
    #[test]
    fn a_second_one_updates_and_what_it_leaves_out_stays() {
        let read = |text: &[u8]| ExtendedGreeting::parse(text).unwrap();
        let mut said = read(b"d1:md11:ut_metadatai9ee4:reqqi7ee");
        said.update(read(b"d1:md6:ut_pexi1ee13:metadata_sizei6ee"));
        assert_eq!(said.number(Extension::Metadata), Some(9));
        assert_eq!((said.queue, said.metadata_size), (Some(7), Some(6)));
        said.update(read(b"d1:md11:ut_metadatai3eee"));
        assert_eq!(said.number(Extension::Metadata), Some(3));
        said.update(read(b"d1:md11:ut_metadatai0eee"));
        assert_eq!(said.number(Extension::Metadata), None);
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        let absurd =
            b"d1:md11:ut_metadatai256ee13:metadata_sizei-1e1:pi65536e4:reqq1:x1:vi5e6:youri\
            p3:abce";
        assert_eq!(
            ExtendedGreeting::parse(absurd),
            Ok(ExtendedGreeting::default())
        );
        let large = b"d13:metadata_sizei99999999999999999999e1:mi4ee";
        assert_eq!(
            ExtendedGreeting::parse(large),
            Ok(ExtendedGreeting::default())
        );
        assert!(ExtendedGreeting::parse(b"le").is_err());
        assert!(ExtendedGreeting::parse(b"").is_err() && ExtendedGreeting::parse(b"d1:m").is_err());
    }
}
