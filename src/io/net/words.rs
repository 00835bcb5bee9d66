//! What went wrong with a socket, in words for the user.

use std::io;

/// An error in plain words, without the number that Rust appends.
pub fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => String::from("it refused the connection"),
        io::ErrorKind::ConnectionReset => String::from("it reset the connection"),
        io::ErrorKind::AddrInUse => String::from("another program uses it"),
        io::ErrorKind::AddrNotAvailable => String::from("this machine does not have that address"),
        io::ErrorKind::PermissionDenied => String::from("permission denied"),
        // These are our own words.
        io::ErrorKind::Other if error.get_ref().is_some() => error.to_string(),
        _ => {
            let text = error.to_string();
            let end = text.find(" (os error").unwrap_or(text.len());
            text[..end].to_lowercase()
        }
    }
}
