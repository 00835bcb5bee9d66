//! Wrong usage, in our words.

use super::{Failure, quote, slip};

/// Wrong usage of a command (none: of the program), said in our words.
pub fn usage(command: &str, error: lexopt::Error) -> Failure {
    let (of, see) = match command {
        "" => (String::new(), String::from("brooklet --help")),
        name => (format!(" of {name}"), format!("brooklet {name} --help")),
    };
    let (what, why) = match error {
        lexopt::Error::MissingValue { option } => (
            option.unwrap_or_default(),
            String::from("its value is missing"),
        ),
        lexopt::Error::UnexpectedOption(option) => {
            let meant = slip::option(command, &option);
            let meant = meant.map_or(String::new(), |meant| format!(": did you mean {meant}?"));
            (option, format!("no such option{of}{meant}"))
        }
        lexopt::Error::UnexpectedValue { option, .. } => {
            (option, String::from("it takes no value"))
        }
        lexopt::Error::UnexpectedArgument(value) => (
            quote(&value).into_owned(),
            String::from("an argument too many"),
        ),
        lexopt::Error::NonUnicodeValue(value) => (
            quote(&value).into_owned(),
            String::from("this is not UTF-8"),
        ),
        lexopt::Error::ParsingFailed { value, error } => (value, error.to_string()),
        lexopt::Error::Custom(error) => (String::from(command), error.to_string()),
    };
    let gap = if why.ends_with('?') { "" } else { ":" };
    Failure::usage(format!("{what}: {why}{gap} see {see}"))
}
