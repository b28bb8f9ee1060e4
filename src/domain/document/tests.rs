use super::*;
use crate::domain::assignments::Permission;
use crate::domain::entries::Entry;

pub(crate) fn jane() -> User {
    User {
        id: UserId::parse("google-oauth2|1|é\"").unwrap(),
        version: Version::new(7),
        created_at: Timestamp::from_millis(1_700_000_000_000),
        updated_at: Timestamp::from_millis(1_700_000_000_001),
        profile: Profile {
            email: Some("jane@example.com".to_owned()),
            email_verified: Some(true),
            name: Some("Jane \"J\" Doe".to_owned()),
            blocked: Some(false),
            logins_count: Some(3),
            last_login: Timestamp::parse("2026-01-01T00:00:00.000Z"),
            ..Profile::default()
        },
        provider_attributes: Object::parse(r#"{"locale":"en","age":1e1}"#, 8).unwrap(),
        identities: vec![Identity {
            connection: "google-oauth2".to_owned(),
            provider: "google-oauth2".to_owned(),
            user_id: "1|é\"".to_owned(),
            is_social: true,
            profile_data: Some(Object::parse(r#"{"email":"j@x.y"}"#, 8).unwrap()),
        }],
        user_metadata: Some(Object::parse(r#"{"id":9007199254740993,"s":"\u00e9"}"#, 8).unwrap()),
        app_metadata: Some(Object::parse(r#"{"plan":"full"}"#, 8).unwrap()),
        entries: vec![Entry {
            key: "theme".to_owned(),
            value: "Dark".to_owned(),
            profile_claim: true,
        }],
        assignments: Assignments {
            roles: vec!["rol_1".to_owned()],
            permissions: vec![Permission {
                api: "https://api".to_owned(),
                name: "read:all".to_owned(),
            }],
        },
        password: Some("$argon2id$x".to_owned()),
        made_at: Version::new(5),
        keys: KeyVersions::from_json(r#"{"user_metadata.s":7}"#),
        expirations: Expirations::from_json(r#"{"user_metadata.s":1900000000000}"#),
    }
}

#[test]
fn the_roots_are_all_members_but_the_bags() {
    let with = |user_metadata: Option<&str>, app_metadata: Option<&str>| {
        let bag = |text: Option<&str>| text.map(|text| Object::parse(text, 8).unwrap());
        let (user_metadata, app_metadata) = (bag(user_metadata), bag(app_metadata));
        Document::of(&User { user_metadata, app_metadata, ..jane() })
    };
    let bag = Some(r#"{"email":"no@example.com","user_metadata":{"a":1}}"#);
    for document in
        [with(None, None), with(bag, None), with(None, bag), with(bag, bag), with(Some("{}"), bag)]
    {
        let all = Members::of(document.json());
        let is_bag = |key: &str| matches!(key, "\"user_metadata\"" | "\"app_metadata\"");
        let expected: Vec<_> = all.filter(|(key, _)| !is_bag(key)).collect();
        assert_eq!(document.roots().collect::<Vec<_>>(), expected);
        assert_eq!(document.attribute("email").as_deref(), Some("jane@example.com"));
    }
}

#[test]
fn packing_and_unpacking_is_the_identity() {
    let user = jane();
    let document = Document::of(&user);
    assert_eq!(document.user(), user);
    assert_eq!(Document::of(&document.user()).json(), document.json());
    assert_eq!(document.user_metadata(), user.user_metadata.as_ref().map(Object::as_json));
    assert_eq!(document.app_metadata(), user.app_metadata.as_ref().map(Object::as_json));
    assert_eq!(document.entries(), user.entries);
    assert_eq!(document.assignments(), user.assignments);
    assert_eq!(document.password(), user.password);
    assert_eq!((document.id(), document.version()), (user.id.as_str(), user.version));
}

#[test]
fn a_document_put_together_from_its_parts_is_the_same() {
    let document = Document::of(&jane());
    assert_eq!(Document::assemble(&document.parts()).user(), jane());
}

#[test]
fn the_profile_shows_no_password_and_no_entries() {
    let document = Document::of(&jane());
    assert!(!document.json().contains("argon2"));
    assert!(!document.json().contains("theme"));
    assert!(!document.json().contains("rol_1") && !document.json().contains("read:all"));
    assert!(serde_json::from_str::<serde_json::Value>(document.json()).is_ok());
}

#[test]
fn a_user_without_bags_has_none() {
    let user = User { user_metadata: None, app_metadata: Some(Object::empty()), ..jane() };
    let document = Document::of(&user);
    assert_eq!((document.user_metadata(), document.app_metadata()), (None, Some("{}")));
}
