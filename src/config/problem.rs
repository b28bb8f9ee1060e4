//! What is wrong with a configuration, where, and how that is shown.
//!
//! All problems are collected and shown together. A quoted line never shows a
//! secret: see [`Document`].

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// Everything that is wrong: in the file, the environment, the arguments, and between settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<Problem>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        match self.0.len() {
            1 => f.write_str("1 problem in the configuration"),
            count => write!(f, "{count} problems in the configuration"),
        }
    }
}

impl std::error::Error for Errors {}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What was wanted, what was found, what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.place, self.message)?;
        if let Place::Line { line, excerpt, .. } = &self.place {
            let gutter = " ".repeat(line.to_string().len());
            write!(f, "\n  {line} | {}\n  {gutter} | {}", excerpt.text, excerpt.underline)?;
        }
        Ok(())
    }
}

/// Something that works, but probably not as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub Problem);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a value, or a problem with it, stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A place in a file.
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The line itself.
        excerpt: Excerpt,
    },
    /// A file as a whole.
    File(PathBuf),
    /// An environment variable, by name.
    Variable(String),
    /// A command line argument, as far as it may be shown.
    Argument(String),
    /// No place: nobody set this.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line, column, .. } => {
                write!(f, "{}:{line}:{column}", file.display())
            }
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Argument(argument) => f.write_str(argument),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A line of a file with what is meant underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    text: String,
    underline: String,
}

/// A file's text, and how to quote from it without showing a secret.
///
/// Lines are masked by what they look like, not by what they were parsed to,
/// because a misspelt or broken line must not leak either: from the `=` on,
/// where the key is like a secret's; wholly, where a text goes on from a line
/// before. Inside a `[[tenant.client]]` only keys known to be harmless are shown.
#[derive(Debug)]
pub(super) struct Document<'a> {
    file: &'a Path,
    text: &'a str,
    lines: Vec<Line<'a>>,
}

#[derive(Debug)]
struct Line<'a> {
    /// Where it begins in the text.
    start: usize,
    text: &'a str,
    /// What the lines before it say about it.
    context: Context,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        let mut context = Context::default();
        let mut start = 0;
        let mut lines = Vec::new();
        for line in text.split('\n') {
            lines.push(Line { start, text: line.trim_end_matches('\r'), context });
            context.pass(line);
            start += line.len() + 1;
        }
        Self { file, text, lines }
    }

    /// How many bytes the text has.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The number of the line a byte is in, counted from 1.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|line| line.start <= offset)
    }

    /// The text of a line, counted from 1.
    pub(super) fn line(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).map_or("", |line| line.text)
    }

    /// The place of a part of the text.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let number = self.line_at(span.start);
        let Some(line) = number.checked_sub(1).and_then(|index| self.lines.get(index)) else {
            return Place::File(self.file.to_owned());
        };
        let lead = self.text.get(line.start..span.start).unwrap_or_default();
        let lead = lead.get(..line.text.len()).unwrap_or(lead);
        let marked = self.text.get(span.clone()).unwrap_or_default();
        let marked = marked.split(['\r', '\n']).next().unwrap_or_default();
        Place::Line {
            file: self.file.to_owned(),
            line: number,
            column: lead.chars().count() + 1,
            excerpt: line.excerpt(lead, marked),
        }
    }

    /// A problem with a part of the text.
    pub(super) fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        Problem { place: self.place(span), message: message.into() }
    }
}

impl Line<'_> {
    fn excerpt(&self, lead: &str, marked: &str) -> Excerpt {
        let shown = self.text.get(..self.context.shown_bytes(self.text)).unwrap_or_default();
        let mask = if shown.len() < self.text.len() { MASK } else { "" };
        let width = marked.chars().count();
        let (lead, width) = if mask.is_empty() {
            (lead, width.max(1))
        } else if lead.len() < shown.len() {
            (lead, width.clamp(1, shown.len() - lead.len() + mask.len()))
        } else {
            // What is marked inside the masked part is marked as the mask.
            (shown, mask.len())
        };
        let indent: String = lead.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        Excerpt {
            text: format!("{shown}{mask}"),
            underline: format!("{indent}{}", "^".repeat(width)),
        }
    }
}

/// What the lines so far say about the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    is_in_client: bool,
    /// The quotes that end the text of several lines we are in.
    open: Option<&'static str>,
}

/// Keys of a client whose values are no secrets, even side by side.
const HARMLESS: [&str; 3] = ["client_id", "client_secret_file", "scopes"];

impl Context {
    fn pass(&mut self, line: &str) {
        if let Some(quotes) = self.open {
            if line.contains(quotes) {
                self.open = None;
            }
            return;
        }
        if line.trim_start().starts_with('[') && !line.contains('=') {
            self.is_in_client = line.contains("client");
        }
        self.open =
            ["\"\"\"", "'''"].into_iter().find(|quotes| line.matches(quotes).count() % 2 == 1);
    }

    fn shown_bytes(self, line: &str) -> usize {
        if self.open.is_some() {
            return 0;
        }
        let is_header = line.trim_start().starts_with('[') && !line.contains('=');
        let key = line.split('=').next().unwrap_or_default().trim().trim_matches('"');
        let key = key.rsplit('.').next().unwrap_or_default().trim();
        let is_harmless = HARMLESS.contains(&key) && !names_a_secret(line, key);
        let is_suspect = self.is_in_client || names_a_secret(line, "");
        if is_header || is_harmless || !is_suspect || line.trim().is_empty() {
            return line.len();
        }
        let value = line.find('=').map_or(0, |equals| equals + 1);
        let space = line.get(value..).map_or(0, |rest| rest.len() - rest.trim_start().len());
        value + space
    }
}

/// Whether any word of the line, other than `except`, looks like the name of a secret.
fn names_a_secret(line: &str, except: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.split(|c| !is_word(c)).filter(|word| !word.is_empty() && *word != except).any(|word| {
        let word = word.to_ascii_lowercase();
        word != "client_secret_file"
            && word != "client_secrets"
            && (["secret", "passw", "credential", "api_key"].iter().any(|part| word.contains(part))
                || strsim::damerau_levenshtein(&word, "client_secret") <= 4
                || strsim::damerau_levenshtein(&word, "secret") <= 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, marked: &str, expected: &str) {
        let document = Document::new(Path::new("d.toml"), text);
        let start = text.find(marked).unwrap();
        let shown = document.problem(&(start..start + marked.len()), "oh").to_string();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_place_has_line_column_and_underline() {
        check(
            "[log]\nlevel = \"x\"\n",
            "\"x\"",
            "d.toml:2:9  oh\n  2 | level = \"x\"\n    |         ^^^",
        );
        check("a = 'é' # ü\r\nb = 1\r\n", "1", "d.toml:2:5  oh\n  2 | b = 1\n    |     ^");
        check("\tä = 1", "1", "d.toml:1:6  oh\n  1 | \tä = 1\n    | \t    ^");
    }

    #[test]
    fn a_secret_is_masked_and_so_is_what_looks_like_one() {
        let masked = "d.toml:1:17  oh\n  1 | client_secret = ***\n    |                 ^^^";
        check("client_secret = \"0123456789abcdef\"", "\"0123456789abcdef\"", masked);
        let misspelt = "d.toml:1:1  oh\n  1 | client_sercet = ***\n    | ^^^^^^^^^^^^^";
        check("client_sercet = \"0123456789abcdef\"", "client_sercet", misspelt);
        let inline = "d.toml:1:32  oh\n  1 | client = ***\n    |          ^^^";
        check("client = [{ client_secret = \"a\", client_id = \"b\" }]", ", client_id", inline);
    }

    #[test]
    fn in_a_client_only_harmless_keys_are_shown() {
        let text = "[[tenant.client]]\nclient_id = \"a\"\nkey = \"0123456789abcdef\"\n";
        check(text, "\"a\"", "d.toml:2:13  oh\n  2 | client_id = \"a\"\n    |             ^^^");
        check(text, "key", "d.toml:3:1  oh\n  3 | key = ***\n    | ^^^");
        let several = "[[tenant.client]]\nclient_secret = \"\"\"\nabcdef\n\"\"\"\n";
        check(several, "abcdef", "d.toml:3:1  oh\n  3 | ***\n    | ^^^");
    }
}
