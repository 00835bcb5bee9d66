//! Names that a proxy looks up. The machines above know addresses only: where no name is looked up
//! here, each name has an address that stands for it, at which no host can be (100::/64, RFC 6666).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::base::{limits, reach};
use crate::socks::Place;

/// The names that were used last, by their numbers.
#[derive(Debug, Default)]
pub struct Names {
    /// The number of the oldest one.
    first: u64,
    known: VecDeque<Arc<str>>,
}

impl Names {
    /// The address that stands for a name.
    ///
    /// # Errors
    /// No proxy takes such a name.
    pub fn stand_in(&mut self, host: &str) -> Result<IpAddr, String> {
        if host.len() > limits::PROXY_NAME {
            return Err(format!("a name of more than {} bytes", limits::PROXY_NAME));
        }
        let known = self.known.iter().position(|it| **it == *host);
        let place = known.unwrap_or_else(|| {
            if self.known.len() == limits::PROXY_NAMES {
                self.known.pop_front();
                self.first += 1;
            }
            self.known.push_back(host.into());
            self.known.len() - 1
        });
        Ok(reach::stand_in(self.first + place as u64))
    }

    /// What an address leads to: itself, or the name that it stands for.
    ///
    /// # Errors
    /// That is not known any more.
    pub fn place(&self, addr: SocketAddr) -> Result<Place, String> {
        let Some(number) = reach::stands_for(addr.ip()) else {
            return Ok(Place::Addr(addr));
        };
        let place = number.checked_sub(self.first);
        let name = place.and_then(|place| self.known.get(usize::try_from(place).ok()?));
        let name = name.ok_or("it stands for a name that is not known any more")?;
        Ok(Place::Name(Arc::clone(name), addr.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_address_of_its_own_while_it_is_known() {
        let mut names = Names::default();
        let first = names.stand_in("a.example").unwrap();
        let other = names.stand_in("b.example").unwrap();
        assert!(first != other && names.stand_in("a.example") == Ok(first));
        let place = names.place(SocketAddr::new(first, 80)).unwrap();
        assert_eq!(place, Place::Name("a.example".into(), 80));
        let addr: SocketAddr = "192.0.2.1:80".parse().unwrap();
        assert_eq!(names.place(addr), Ok(Place::Addr(addr)));
        for number in 0..limits::PROXY_NAMES - 1 {
            names.stand_in(&format!("{number}.example")).unwrap();
        }
        // The oldest is forgotten, and nothing else is taken for it.
        assert!(names.place(SocketAddr::new(first, 80)).is_err());
        let place = names.place(SocketAddr::new(other, 80)).unwrap();
        assert_eq!(place, Place::Name("b.example".into(), 80));
        assert_ne!(names.stand_in("a.example").unwrap(), first);
        assert_eq!(names.known.len(), limits::PROXY_NAMES);
        assert!(names.stand_in(&"x".repeat(limits::PROXY_NAME + 1)).is_err());
        assert!(names.stand_in(&"x".repeat(limits::PROXY_NAME)).is_ok());
    }
}
