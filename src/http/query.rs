//! Query strings: decoded once, known names only.

use super::problem::Problem;
use super::schema;
use percent_encoding::percent_decode_str;

/// The parameters of a query string, in order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a raw query string or form body; `+` is a space.
    ///
    /// # Errors
    /// 400 when a name or value is no UTF-8.
    pub fn parse(raw: &str) -> Result<Self, Problem> {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned)
        };
        raw.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<Vec<_>, std::str::Utf8Error>>()
            .map(Self)
            .map_err(|_| Problem::query(schema::query_message("Invalid UTF-8", "", "")))
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that may be repeated or hold a comma list.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(own, _)| own == name);
        values.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty())
    }

    /// All parameters.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Refuses parameters that are not among `known`, or are there twice.
    ///
    /// # Errors
    /// 400 naming them.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        self.only_repeating(known, &[])
    }

    /// As [`Self::only`], but the parameters in `repeatable` may be there more than once.
    ///
    /// # Errors
    /// 400 naming what is unknown or doubled.
    pub fn only_repeating(&self, known: &[&str], repeatable: &[&str]) -> Result<(), Problem> {
        let unknown: Vec<&str> = self
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| {
                ![known, repeatable, &[DRY_RUN]].iter().any(|names| names.contains(name))
            })
            .collect();
        if !unknown.is_empty() {
            let names = unknown.join(",");
            return Err(Problem::query(schema::query_message(
                &format!("Additional properties not allowed: {names}"),
                "",
                "",
            )));
        }
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !repeatable.contains(&name.as_str())
                && self.0.iter().take(at).any(|(earlier, _)| earlier == name)
            {
                return Err(Problem::query(schema::query_message(
                    "Expected type string but found type array",
                    name,
                    "",
                )));
            }
        }
        Ok(())
    }

    /// A boolean parameter.
    ///
    /// # Errors
    /// 400 when it is neither `true` nor `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None | Some("") => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Problem::query(schema::query_message(
                "Expected type boolean but found type string",
                name,
                "",
            ))),
        }
    }

    /// An integer parameter in a range.
    ///
    /// # Errors
    /// 400 when it is none, or out of its range.
    pub fn number(
        &self,
        name: &str,
        min: usize,
        max: usize,
        about: &str,
    ) -> Result<Option<usize>, Problem> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let fail =
            |detail: String| Err(Problem::query(schema::query_message(&detail, name, about)));
        match text.parse::<i64>() {
            Ok(value) => match usize::try_from(value) {
                Ok(number) if number > max => {
                    fail(format!("Value {value} is greater than maximum {max}"))
                }
                Ok(number) if number >= min => Ok(Some(number)),
                Ok(_) | Err(_) => fail(format!("Value {value} is less than minimum {min}")),
            },
            Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                fail(format!("Value {text} is greater than maximum {max}"))
            }
            Err(_) => fail("Expected type integer but found type string".to_owned()),
        }
    }
}

/// Dossier's own parameter of every mutating call: the answer it would give, and nothing written.
pub const DRY_RUN: &str = "dry_run";

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[test]
    fn parameters_are_decoded_once() {
        let query = query("q=a%2Bb+c%20d&empty=&flag");
        assert_eq!(query.get("q"), Some("a+b c d"));
        assert_eq!(query.get("empty"), Some(""));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("nope"), None);
        assert!(Query::parse("a=%ff").is_err());
    }

    #[test]
    fn unknown_and_doubled_parameters_are_refused() {
        assert!(query("a=1").only(&["a"]).is_ok());
        let message = query("a=1&b=2").only(&["a"]).unwrap_err().message;
        assert_eq!(message, "Query validation error: 'Additional properties not allowed: b'.");
        assert!(query("a=1&a=2").only(&["a"]).is_err());
    }

    #[test]
    fn some_parameters_may_be_repeated() {
        let query = query("s=a,b&s=c&n=1");
        assert!(query.only_repeating(&["n"], &["s"]).is_ok());
        assert!(query.only(&["n", "s"]).is_err());
        assert_eq!(query.all("s").collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn numbers_have_ranges() {
        let about = "Number of results per page. Defaults to 50";
        assert_eq!(query("n=5").number("n", 0, 100, about), Ok(Some(5)));
        assert_eq!(
            query("n=1000").number("n", 0, 100, about).unwrap_err().message,
            "Query validation error: 'Value 1000 is greater than maximum 100' on property n (Number of results per page. Defaults to 50)."
        );
        for bad in ["n=-1", "n=x", "n=99999999999999999999"] {
            assert!(query(bad).number("n", 0, 100, about).is_err(), "{bad}");
        }
    }
}
