//! The development CA beside the data: it keeps a start from nothing but itself, and is never in
//! the way of what is worth more.

use super::*;

#[test]
fn a_damaged_development_ca_is_refused_before_anything_else_is_touched() {
    let is_of_the_ca = |place: &Path| {
        place.starts_with("tls") && place.ends_with("ca.pem") || place.ends_with("ca-key.pem")
    };
    let (_, refused) = sweep(is_of_the_ca, 6, true);
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_repair_puts_a_damaged_ca_aside_and_touches_nothing_else() {
    let mut files = original().files.clone();
    files.insert("tls/ca-key.pem".into(), Vec::new());
    let (_folder, root) = copy(&files);
    let done = repair(&root).unwrap();
    assert!(done.repairs.len() == 1 && done.repairs[0].contains("tls.broken"), "{done:?}");
    let after = read(&root);
    for (place, bytes) in &files {
        let now = match place.strip_prefix("tls") {
            Ok(name) => Path::new("tls.broken").join(name),
            Err(_) => place.clone(),
        };
        assert!(after.get(&now) == Some(bytes), "{}", place.display());
    }
    assert_eq!(check(&root).unwrap().problems, Vec::<String>::new());
    assert!(state(&open(&settings(&root)).unwrap()) == original().state);
}

#[test]
fn who_takes_no_connections_with_the_ca_does_not_ask_for_it() {
    let mut files = original().files.clone();
    files.insert("tls/ca.pem".into(), b"none".to_vec());
    let (_folder, root) = copy(&files);
    let mut settings = settings(&root);
    settings.server.tls = dossier::config::TlsMode::Off;
    assert!(state(&open(&settings).unwrap()) == original().state);
}
