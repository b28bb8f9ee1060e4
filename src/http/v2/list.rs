//! Lists of small things: offset pages with totals, or a cursor that goes forward.
//!
//! | asked for               | answer                                             |
//! |-------------------------|----------------------------------------------------|
//! | nothing                 | a bare array                                       |
//! | `include_totals=true`   | `{"total","start","limit","<name>":[…]}`           |
//! | `take` or `from`        | `{"<name>":[…],"next"}`, whatever else is asked for |
//!
//! (CONTRACT.md §4.4). Items come in the order of their ids, which is what a cursor holds.

use super::{Page, json};
use crate::http::call::Call;
use crate::http::problem::Problem;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The parameters every list takes.
pub(super) const PARAMETERS: &[&str] = &["page", "per_page", "include_totals", "from", "take"];

/// Which part of a list is wanted, and in which shape.
#[derive(Debug)]
pub(super) enum Part {
    /// Pages.
    Pages(Page),
    /// So many items after the one with this id.
    After(Option<String>, usize),
}

/// Something a list holds.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its id, by which the list is ordered.
    pub(super) id: String,
    /// Its text.
    pub(super) json: String,
}

impl Part {
    /// Reads the parameters of a list.
    pub(super) fn of(call: &Call) -> Result<Self, Problem> {
        Self::described(call, "Number of results per page. Defaults to 50")
    }

    /// As [`Self::of`], with the words this list's documentation has for a page's size.
    pub(super) fn described(call: &Call, about: &str) -> Result<Self, Problem> {
        let page = Page::of(call, about)?;
        let take =
            call.query.number("take", 1, 100, "Number of results per page. Defaults to 50")?;
        let from = call.query.get("from").filter(|from| !from.is_empty());
        Ok(match (take, from) {
            (None, None) => Self::Pages(page),
            (take, from) => Self::After(from.map(read_cursor).transpose()?, take.unwrap_or(50)),
        })
    }

    /// The same of a list that knows cursors only.
    pub(super) fn after(self) -> Self {
        match self {
            Self::Pages(_) => Self::After(None, 50),
            after @ Self::After(..) => after,
        }
    }

    /// The wanted part of `items`, which are in the order of their ids.
    pub(super) fn answer(&self, name: &str, items: &[Item]) -> HttpResponse {
        self.answer_with(name, items, |item| item.id.clone(), |item| item.json.clone())
    }

    /// The wanted part of things in the order of their ids; the text of no other is made.
    pub(super) fn answer_with<T>(
        &self,
        name: &str,
        items: &[T],
        id_of: impl Fn(&T) -> String,
        text_of: impl Fn(&T) -> String,
    ) -> HttpResponse {
        json(StatusCode::OK, self.body(name, items, id_of, text_of))
    }

    fn body<T>(
        &self,
        name: &str,
        items: &[T],
        id_of: impl Fn(&T) -> String,
        text_of: impl Fn(&T) -> String,
    ) -> String {
        let array = |items: &[&T]| {
            let texts: Vec<String> = items.iter().map(|item| text_of(item)).collect();
            format!("[{}]", texts.join(","))
        };
        match self {
            Self::Pages(page) => {
                let shown: Vec<&T> = items.iter().skip(page.start).take(page.limit).collect();
                let shown = array(&shown);
                if !page.with_totals {
                    return shown;
                }
                let (start, limit, total) = (page.start, page.limit, items.len());
                format!(
                    "{{\"total\":{total},\"start\":{start},\"limit\":{limit},\"{name}\":{shown}}}"
                )
            }
            Self::After(after, take) => {
                let is_after = |item: &&T| after.as_ref().is_none_or(|after| id_of(item) > *after);
                let mut shown: Vec<&T> = items.iter().filter(is_after).take(take + 1).collect();
                let has_more = shown.len() > *take;
                shown.truncate(*take);
                let next = shown.last().filter(|_| has_more).map_or(String::new(), |last| {
                    format!(",\"next\":\"{}\"", URL_SAFE_NO_PAD.encode(id_of(last)))
                });
                format!("{{\"{name}\":{}{next}}}", array(&shown))
            }
        }
    }
}

fn read_cursor(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Problem::query("The 'from' cursor is not one this server made."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        ["a", "b", "c"].map(|id| Item { id: id.to_owned(), json: format!("\"{id}\"") }).to_vec()
    }

    #[track_caller]
    fn check(part: &Part, expected: &str) {
        let body = part.body("things", &items(), |item| item.id.clone(), |item| item.json.clone());
        assert_eq!(body, expected);
    }

    #[test]
    fn pages_are_bare_or_with_totals() {
        let page = |start, limit, with_totals| Part::Pages(Page { start, limit, with_totals });
        check(&page(0, 50, false), r#"["a","b","c"]"#);
        check(&page(2, 2, true), r#"{"total":3,"start":2,"limit":2,"things":["c"]}"#);
        check(&page(100, 50, true), r#"{"total":3,"start":100,"limit":50,"things":[]}"#);
    }

    #[test]
    fn a_cursor_leads_to_the_end_and_meets_everything_once() {
        check(&Part::After(None, 2), r#"{"things":["a","b"],"next":"Yg"}"#);
        check(&Part::After(Some(read_cursor("Yg").unwrap()), 2), r#"{"things":["c"]}"#);
        check(&Part::After(None, 3), r#"{"things":["a","b","c"]}"#);
        check(&Part::After(Some("z".to_owned()), 3), r#"{"things":[]}"#);
        assert!(read_cursor("!").is_err());
    }
}
