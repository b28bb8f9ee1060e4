//! Reading the text of a query, by recursive descent.
//!
//! ```text
//! or     := beside (("OR" | "||") beside)*
//! beside := and+                              side by side: alternatives, but for marked ones
//! and    := not (("AND" | "&&") not)*
//! not    := ("NOT" | "!" | "-" | "+") not | atom
//! atom   := field ":" (value | "(" or ")") | "(" or ")" | value
//! value  := '"'…'"' | ("["|"{") bound "TO" bound ("]"|"}") | word with \x escapes, * and ?
//! ```

mod scan;

use self::scan::is_bracket;
use crate::domain::search::ast::{Field, Kind, Node, Term};
use crate::domain::search::field::Path;
use crate::domain::search::predicate::{Bound, Literal, Predicate, Range, Wildcard};
use crate::domain::search::query::{Query, QueryError, Rules};
use crate::domain::search::word::{Word, WordChar};

const RANGE_FORM: &str = "malformed range; write [min TO max] or {min TO max}";
const TERM_WANTED: &str = "expected a term";

/// Reads one query.
#[derive(Debug)]
pub(crate) struct Parser {
    chars: Vec<char>,
    at: usize,
    rules: Rules,
    terms: usize,
    depth: usize,
}

/// What a value belongs to.
#[derive(Clone, Debug)]
enum Scope {
    Bare,
    Field(Path),
    /// Values are the paths of fields.
    Exists,
}

/// How a clause weighs among those beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Alternative,
    Required,
    Excluded,
}

impl Parser {
    pub(crate) fn new(text: &str, rules: Rules) -> Self {
        Self { chars: text.chars().collect(), at: 0, rules, terms: 0, depth: 0 }
    }

    pub(crate) fn query(mut self) -> Result<Node, QueryError> {
        self.skip_spaces();
        if self.peek().is_none() {
            return Ok(self.node(Kind::All, 0));
        }
        let node = self.or(&Scope::Bare)?;
        match self.peek() {
            Some(char) => Err(self.unexpected(char)),
            None if node.depth() > Query::DEPTH_MAX => Err(too_deep(node.span.column)),
            None => Ok(node),
        }
    }

    /// Reads the name of a field and nothing else.
    pub(crate) fn path(text: &str) -> Result<Path, QueryError> {
        let mut parser = Self::new(text, Rules::default());
        let word = parser.word(true)?;
        match parser.peek() {
            Some(char) => Err(parser.unexpected(char)),
            None => word.path(),
        }
    }

    fn or(&mut self, scope: &Scope) -> Result<Node, QueryError> {
        let start = self.at;
        let mut parts = vec![self.beside(scope)?];
        while self.accept_operator("OR", "||") {
            parts.push(self.beside(scope)?);
        }
        Ok(self.joined(parts, Kind::Or, start))
    }

    fn beside(&mut self, scope: &Scope) -> Result<Node, QueryError> {
        let start = self.at;
        let mut clauses = Vec::new();
        loop {
            clauses.push(self.and(scope)?);
            self.skip_spaces();
            if matches!(self.peek(), None | Some(')')) || self.is_operator("OR", "||") {
                return Ok(self.weigh(clauses, start));
            }
        }
    }

    /// Joins clauses that stand beside each other. Required ones make the alternatives meaningless.
    fn weigh(&self, clauses: Vec<(Mark, Node)>, start: usize) -> Node {
        let has_required = clauses.iter().any(|(mark, _)| *mark == Mark::Required);
        let (mut alternatives, mut all) = (Vec::new(), Vec::new());
        for (mark, node) in clauses {
            match mark {
                Mark::Alternative => alternatives.push(node),
                Mark::Required | Mark::Excluded => all.push(node),
            }
        }
        if all.is_empty() {
            return self.joined(alternatives, Kind::Or, start);
        }
        if !has_required && !alternatives.is_empty() {
            all.insert(0, self.joined(alternatives, Kind::Or, start));
        }
        self.joined(all, Kind::And, start)
    }

    fn and(&mut self, scope: &Scope) -> Result<(Mark, Node), QueryError> {
        self.skip_spaces();
        let start = self.at;
        let (mark, first) = self.not(scope)?;
        let mut parts = vec![first];
        while self.accept_operator("AND", "&&") {
            parts.push(self.not(scope)?.1);
        }
        let mark = if parts.len() == 1 { mark } else { Mark::Alternative };
        Ok((mark, self.joined(parts, Kind::And, start)))
    }

    fn not(&mut self, scope: &Scope) -> Result<(Mark, Node), QueryError> {
        self.skip_spaces();
        let start = self.at;
        if self.accept_keyword("NOT") || self.accept('!') || self.accept('-') {
            let inner = self.nested(start, |parser| parser.not(scope))?.1;
            return Ok((Mark::Excluded, self.node(Kind::Not(Box::new(inner)), start)));
        }
        if self.accept('+') {
            return Ok((Mark::Required, self.nested(start, |parser| parser.not(scope))?.1));
        }
        Ok((Mark::Alternative, self.atom(scope)?))
    }

    fn atom(&mut self, scope: &Scope) -> Result<Node, QueryError> {
        self.skip_spaces();
        for (word, sign) in [("AND", "&&"), ("OR", "||")] {
            if let Some(found) = self.operator(word, sign) {
                return Err(self.error(format!("'{found}' has nothing on its left")));
            }
        }
        if self.is_keyword("NOT") {
            return Err(self.error(TERM_WANTED.to_owned()));
        }
        match self.peek() {
            None | Some(')') => Err(self.error(TERM_WANTED.to_owned())),
            Some(':') => Err(self.error("expected the name of a field before ':'".to_owned())),
            Some('(' | '"' | '[' | '{' | ']' | '}' | '/') => self.value(scope),
            Some(_) => {
                let word = self.word(true)?;
                if self.accept(':') { self.field(&word) } else { self.word_term(scope, &word) }
            }
        }
    }

    /// Reads what follows the name of a field and its colon.
    fn field(&mut self, name: &Word) -> Result<Node, QueryError> {
        let after_colon = self.at;
        self.skip_spaces();
        let has_none = matches!(self.peek(), None | Some(')'))
            || self.is_keyword("NOT")
            || self.is_operator("AND", "&&")
            || self.is_operator("OR", "||");
        if has_none {
            self.at = after_colon;
            return Err(self.error(format!("field '{}' has no value", name.text())));
        }
        if name.is_star() {
            return self.everyone(name);
        }
        let scope = match name.text().as_str() {
            "_exists_" => Scope::Exists,
            _ => Scope::Field(name.path()?),
        };
        let mut node = self.value(&scope)?;
        node.span.column = name.start + 1;
        Ok(node)
    }

    /// `*:*`
    fn everyone(&mut self, name: &Word) -> Result<Node, QueryError> {
        if self.accept('*') && self.is_delimiter(self.at) {
            self.count_term(name.start)?;
            return Ok(self.node(Kind::All, name.start));
        }
        self.at = name.start;
        Err(self.error("wildcards in the name of a field are not supported".to_owned()))
    }

    fn value(&mut self, scope: &Scope) -> Result<Node, QueryError> {
        match self.peek() {
            Some('(') => self.group(scope),
            Some('"') => {
                let start = self.at;
                let phrase = self.phrase()?;
                self.refuse_suffix()?;
                self.phrase_term(scope, phrase, start)
            }
            Some('[' | '{') => self.range(scope),
            Some('/') => Err(self.error(
                "regular expressions '/…/' are not supported; write \\/ for a slash".to_owned(),
            )),
            Some(char @ (']' | '}')) => Err(self.unexpected(char)),
            Some(_) | None => {
                let word = self.word(false)?;
                self.word_term(scope, &word)
            }
        }
    }

    fn group(&mut self, scope: &Scope) -> Result<Node, QueryError> {
        let open = self.at;
        self.at += 1;
        let mut node = self.nested(open, |parser| parser.or(scope))?;
        if !self.accept(')') {
            self.at = open;
            return Err(self.error("unclosed '('".to_owned()));
        }
        self.refuse_suffix()?;
        node.span = self.span(open);
        Ok(node)
    }

    fn phrase_term(
        &mut self,
        scope: &Scope,
        text: String,
        start: usize,
    ) -> Result<Node, QueryError> {
        match scope {
            Scope::Bare => {
                self.term(Field::Identifying, Predicate::Equals(Literal::new(text)), start)
            }
            Scope::Field(path) => {
                self.term(Field::At(path.clone()), Predicate::Equals(Literal::new(text)), start)
            }
            Scope::Exists => {
                let chars = text.chars().map(|char| WordChar { char, is_escaped: false }).collect();
                let path = Word { chars, start }.path()?;
                self.term(Field::At(path), Predicate::Exists, start)
            }
        }
    }

    fn word_term(&mut self, scope: &Scope, word: &Word) -> Result<Node, QueryError> {
        let start = word.start;
        let field = match scope {
            Scope::Exists => return self.term(Field::At(word.path()?), Predicate::Exists, start),
            Scope::Bare => Field::Identifying,
            Scope::Field(path) => Field::At(path.clone()),
        };
        if !word.has_wildcard() {
            return self.term(field, Predicate::Equals(Literal::new(word.text())), start);
        }
        self.permit_wildcard(&field, word)?;
        if word.is_stars() {
            return match field {
                // Everyone has a user_id.
                Field::Identifying => {
                    self.count_term(start)?;
                    Ok(self.node(Kind::All, start))
                }
                Field::At(_) => self.term(field, Predicate::Exists, start),
            };
        }
        self.term(field, Predicate::Matches(Wildcard::new(word.tokens())), start)
    }

    fn permit_wildcard(&self, field: &Field, word: &Word) -> Result<(), QueryError> {
        let refuse =
            |message: &str| Err(QueryError { column: word.start + 1, message: message.to_owned() });
        if !self.rules.metadata_wildcards && is_user_metadata(field) {
            return refuse("wildcards on user_metadata are not allowed here");
        }
        let begins_with_wildcard = word.chars.first().is_some_and(|char| char.is_wildcard());
        let is_short = word.longest_literal() < 3 && !word.is_stars();
        if !self.rules.short_suffixes && begins_with_wildcard && is_short {
            return refuse("a pattern that begins with a wildcard needs three characters in a row");
        }
        Ok(())
    }

    fn range(&mut self, scope: &Scope) -> Result<Node, QueryError> {
        let open = self.at;
        let path = match scope {
            Scope::Field(path) => path.clone(),
            Scope::Bare | Scope::Exists => {
                return Err(
                    self.error("a range needs a field; write field:[min TO max]".to_owned())
                );
            }
        };
        let range =
            self.range_bounds().map_err(|error| QueryError { column: open + 1, ..error })?;
        self.refuse_suffix()?;
        let field = Field::At(path);
        if !self.rules.metadata_ranges && is_user_metadata(&field) {
            let message = "ranges on user_metadata are not allowed here".to_owned();
            return Err(QueryError { column: open + 1, message });
        }
        let is_whole = range.lower.is_none() && range.upper.is_none();
        self.term(field, if is_whole { Predicate::Exists } else { Predicate::Within(range) }, open)
    }

    fn range_bounds(&mut self) -> Result<Range, QueryError> {
        let malformed = |parser: &Self| parser.error(RANGE_FORM.to_owned());
        let is_lower_inclusive = self.accept('[') || !self.accept('{');
        let lower = self.bound()?;
        let had_space = self.skip_spaces();
        if !(had_space && self.accept('T') && self.accept('O') && self.skip_spaces()) {
            return Err(malformed(self));
        }
        let upper = self.bound()?;
        self.skip_spaces();
        let is_upper_inclusive = self.accept(']');
        if !is_upper_inclusive && !self.accept('}') {
            return Err(malformed(self));
        }
        let bound = |text: Option<String>, is_inclusive| {
            text.map(|text| Bound { literal: Literal::new(text), is_inclusive })
        };
        Ok(Range {
            lower: bound(lower, is_lower_inclusive),
            upper: bound(upper, is_upper_inclusive),
        })
    }

    /// The text of a bound; `None` when it is open.
    fn bound(&mut self) -> Result<Option<String>, QueryError> {
        self.skip_spaces();
        if self.peek() == Some('"') {
            return self.phrase().map(Some);
        }
        let start = self.at;
        let mut chars = Vec::new();
        while let Some(char) =
            self.peek().filter(|char| !char.is_whitespace() && !is_bracket(*char))
        {
            self.at += 1;
            let is_escaped = char == '\\';
            let char = if is_escaped { self.escaped()? } else { char };
            chars.push(WordChar { char, is_escaped });
        }
        let word = Word { chars, start };
        if word.chars.is_empty() {
            return Err(self.error(RANGE_FORM.to_owned()));
        }
        Ok(if word.is_star() { None } else { Some(word.text()) })
    }

    fn phrase(&mut self) -> Result<String, QueryError> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(char) = self.peek() {
            self.at += 1;
            match char {
                '"' => return Ok(text),
                '\\' => text.push(match self.peek() {
                    Some(_) => self.escaped()?,
                    None => break,
                }),
                char => text.push(char),
            }
        }
        self.at = open;
        Err(self.error("unclosed quote".to_owned()))
    }

    fn word(&mut self, ends_at_colon: bool) -> Result<Word, QueryError> {
        let start = self.at;
        let mut chars = Vec::new();
        while !self.is_delimiter(self.at) {
            let Some(char) = self.peek().filter(|char| !(ends_at_colon && *char == ':')) else {
                break;
            };
            self.refuse_suffix()?;
            self.at += 1;
            let is_escaped = char == '\\';
            let char = if is_escaped { self.escaped()? } else { char };
            chars.push(WordChar { char, is_escaped });
        }
        Ok(Word { chars, start })
    }

    /// Takes the character after a backslash.
    fn escaped(&mut self) -> Result<char, QueryError> {
        let char = self.peek().ok_or_else(|| QueryError {
            column: self.at,
            message: "nothing follows the '\\'".to_owned(),
        })?;
        self.at += 1;
        Ok(char)
    }

    fn refuse_suffix(&self) -> Result<(), QueryError> {
        match self.peek() {
            Some('~') => Err(self.error("fuzzy search '~' is not supported".to_owned())),
            Some('^') => Err(self.error("boosting '^' is not supported".to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    fn term(
        &mut self,
        field: Field,
        predicate: Predicate,
        start: usize,
    ) -> Result<Node, QueryError> {
        self.count_term(start)?;
        Ok(self.node(Kind::Term(Box::new(Term { field, predicate })), start))
    }

    fn count_term(&mut self, start: usize) -> Result<(), QueryError> {
        self.terms += 1;
        if self.terms > Query::TERMS_MAX {
            let message = format!("more than {} terms", Query::TERMS_MAX);
            return Err(QueryError { column: start + 1, message });
        }
        Ok(())
    }

    /// Goes one level down, where that is allowed.
    fn nested<T>(
        &mut self,
        start: usize,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth == Query::DEPTH_MAX {
            return Err(too_deep(start + 1));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}

fn is_user_metadata(field: &Field) -> bool {
    match field {
        Field::At(path) => path.is_user_metadata(),
        Field::Identifying => false,
    }
}

fn too_deep(column: usize) -> QueryError {
    QueryError {
        column,
        message: format!("more than {} levels of parentheses and negation", Query::DEPTH_MAX),
    }
}
