//! Users as lines: NDJSON, or CSV that no spreadsheet takes for formulas (CONTRACT.md §5).

use crate::domain::json::{self, Builder, Elements, Kind, Members, Object};

/// Columns a CSV file may have.
pub(super) const CSV_COLUMNS: usize = 30;

/// Members a line of JSON may have.
pub(super) const JSON_COLUMNS: usize = 100;

/// What an export shows when nobody says: the normalized profile.
const DEFAULT: [&str; 17] = [
    "user_id",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "username",
    "phone_number",
    "phone_verified",
    "blocked",
    "created_at",
    "updated_at",
    "last_login",
    "last_ip",
    "logins_count",
];

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

/// The way to a value: `identities[0].connection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    head: String,
    rest: Vec<Step>,
}

impl Path {
    /// Reads a path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, mut indexes) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part, ""),
            };
            if name.is_empty() || name.contains(']') {
                return None;
            }
            steps.push(Step::Member(name.to_owned()));
            while let Some(rest) = indexes.strip_prefix('[') {
                let (index, rest) = rest.split_once(']')?;
                steps.push(Step::Element(index.parse().ok()?));
                indexes = rest;
            }
            if !indexes.is_empty() {
                return None;
            }
        }
        let mut steps = steps.into_iter();
        match steps.next() {
            Some(Step::Member(head)) => Some(Self { head, rest: steps.collect() }),
            Some(Step::Element(_)) | None => None,
        }
    }

    /// The value at the end of the path, from that of its first step.
    fn follow<'a>(&self, raw: &'a str) -> Option<&'a str> {
        self.rest.iter().try_fold(raw, |raw, step| match step {
            Step::Member(name) if Kind::of(raw) == Kind::Object => {
                let found = Members::of(raw).find(|(key, _)| json::unquote(key) == *name);
                found.map(|(_, value)| value)
            }
            Step::Element(index) if Kind::of(raw) == Kind::Array => Elements::of(raw).nth(*index),
            Step::Member(_) | Step::Element(_) => None,
        })
    }
}

/// Which members of users are written, and under which names.
#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<(Path, String)>);

impl Columns {
    /// The columns of a job's `fields`.
    pub(super) fn of(fields: Option<&str>) -> Self {
        let Some(fields) = fields.filter(|raw| Elements::of(raw).next().is_some()) else {
            let columns = DEFAULT.iter().map(|name| {
                (Path { head: (*name).to_owned(), rest: Vec::new() }, (*name).to_owned())
            });
            return Self(columns.collect());
        };
        let column = |raw: &str| {
            let field = Object::trusted(raw);
            let name = field.get_str("name")?.into_owned();
            let path = Path::parse(&name)?;
            let shown = field.get_str("export_as").map(std::borrow::Cow::into_owned);
            Some((path, shown.unwrap_or(name)))
        };
        Self(Elements::of(fields).filter_map(column).collect())
    }

    /// The places of two columns that would have the same name.
    pub(super) fn same_name(&self) -> Option<(usize, usize)> {
        self.0.iter().enumerate().find_map(|(at, (_, name))| {
            let earlier = self.0.iter().take(at).position(|(_, other)| other == name);
            earlier.map(|earlier| (earlier, at))
        })
    }

    /// The values of a profile, column by column, in one walk over its members.
    fn values<'a>(&self, profile: &'a str) -> Vec<Option<&'a str>> {
        let mut values = vec![None; self.0.len()];
        for (key, raw) in Members::of(profile) {
            let key = json::unquote(key);
            for (slot, (path, _)) in values.iter_mut().zip(&self.0) {
                if path.head == key {
                    *slot = path.follow(raw);
                }
            }
        }
        values
    }

    /// A user as a line of JSON; members the user does not have are left out.
    pub(super) fn json_line(&self, profile: &str, out: &mut String) {
        let mut line = Builder::with_capacity(profile.len());
        for ((_, name), value) in self.0.iter().zip(self.values(profile)) {
            if let Some(value) = value {
                line.raw(name, value);
            }
        }
        out.push_str(&line.finish());
        out.push('\n');
    }

    /// The first line of a CSV file.
    pub(super) fn csv_head(&self, out: &mut String) {
        for (at, (_, name)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_cell(out, name);
        }
        out.push_str("\r\n");
    }

    /// A user as a line of CSV.
    pub(super) fn csv_line(&self, profile: &str, out: &mut String) {
        for (at, value) in self.values(profile).into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            match value {
                None | Some("null") => {}
                Some(raw) => match Kind::of(raw) {
                    // The leading quote keeps spreadsheets from reading text as a formula.
                    Kind::String => push_cell(out, &format!("'{}", json::unquote(raw))),
                    Kind::Object | Kind::Array => push_cell(out, &format!("'{raw}")),
                    Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number => out.push_str(raw),
                },
            }
        }
        out.push_str("\r\n");
    }
}

fn push_cell(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANE: &str = r#"{"email":"j@x.io","identities":[{"connection":"db"}],"logins_count":3,"name":"=\"1\"","user_metadata":{"a":{"b":[1]}}}"#;

    #[track_caller]
    fn check(fields: &str, json: &str, csv: &str) {
        let columns = Columns::of(Some(fields));
        let (mut line, mut table) = (String::new(), String::new());
        columns.json_line(JANE, &mut line);
        columns.csv_head(&mut table);
        columns.csv_line(JANE, &mut table);
        assert_eq!(line, format!("{json}\n"), "{fields}");
        assert_eq!(table, csv, "{fields}");
    }

    #[test]
    fn a_line_has_the_members_asked_for() {
        check(
            r#"[{"name":"email"},{"name":"logins_count","export_as":"n"},{"name":"nope"}]"#,
            r#"{"email":"j@x.io","n":3}"#,
            "\"email\",\"n\",\"nope\"\r\n\"'j@x.io\",3,\r\n",
        );
        check(
            r#"[{"name":"identities[0].connection"},{"name":"user_metadata.a.b"},{"name":"identities[1].connection"}]"#,
            r#"{"identities[0].connection":"db","user_metadata.a.b":[1]}"#,
            "\"identities[0].connection\",\"user_metadata.a.b\",\"identities[1].connection\"\r\n\"'db\",\"'[1]\",\r\n",
        );
    }

    #[test]
    fn no_text_is_a_formula() {
        check(r#"[{"name":"name"}]"#, r#"{"name":"=\"1\""}"#, "\"name\"\r\n\"'=\"\"1\"\"\"\r\n");
    }

    #[test]
    fn paths_are_read_or_refused() {
        for good in ["a", "a.b", "a[0].b", "a[0][1]"] {
            assert!(Path::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "a.", "[0]", "a[", "a[x]", "a]b", "a[0]b", "a[-1]"] {
            assert!(Path::parse(bad).is_none(), "{bad}");
        }
    }
}
