//! What no page may do, whatever the data.

use super::samples::pages;

const HOSTILE: &str = "\"><script>alert('1')</script><img src=x onerror=\"x\">{{7*7}}&amp;";

#[test]
fn hostile_text_is_escaped_on_every_page() {
    for (name, html) in pages(HOSTILE) {
        assert!(!html.contains("<script>alert"), "{name}");
        assert!(!html.contains("<img"), "{name}");
        assert_eq!(html.matches("<script").count(), 1, "{name}: the console's own");
        if name != "clients-empty" && name != "changes-empty" && name != "setup-used" {
            assert!(html.contains("&#60;script&#62;alert(&#39;1&#39;)"), "{name} shows it");
        }
    }
}

#[test]
fn nothing_is_inline() {
    for (name, html) in pages("server") {
        for inline in
            [" style=", "<style", " onclick=", " onload=", " onsubmit=", "javascript:", "http-equiv"]
        {
            assert!(!html.contains(inline), "{name} has {inline:?}");
        }
    }
}

#[test]
fn ids_are_unique_and_labels_lead_to_them() {
    for (name, html) in pages("server") {
        let values = |attribute: &str| -> Vec<String> {
            html.split(&format!(" {attribute}=\""))
                .skip(1)
                .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
                .collect()
        };
        let mut ids = values("id");
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name} has an id twice");
        for target in values("for").into_iter().chain(values("aria-labelledby")) {
            assert!(ids.contains(&target), "{name}: nothing has the id {target:?}");
        }
    }
}

#[test]
fn every_form_that_changes_something_sends_the_token() {
    for (name, html) in pages("server") {
        for form in html.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap_or_default();
            // Those before a session.
            if form.contains("action=\"/sign-in\"") || form.contains("action=\"/setup\"") {
                continue;
            }
            assert!(form.contains("name=\"form_token\" value=\"t0ken\""), "{name}: {form}");
        }
    }
}
