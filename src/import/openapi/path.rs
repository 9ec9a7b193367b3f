//! Path templates as the paths of routes.

/// Joins the path of the server and a template. Parameters keep their names where a route can have them.
pub(super) fn join(base: &str, template: &str) -> Result<String, String> {
    if !template.starts_with('/') {
        return Err("its path does not begin with a slash".to_owned());
    }
    if template.contains(['?', '#']) {
        return Err("a query or a fragment never decides where a request goes".to_owned());
    }
    let mut path = base.trim_end_matches('/').to_owned();
    let mut names: Vec<String> = Vec::new();
    for segment in template.split('/').skip(1) {
        path.push('/');
        if !segment.contains(['{', '}']) {
            path.push_str(segment);
            continue;
        }
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|name| !name.contains(['{', '}']))
            .ok_or_else(|| {
                format!("{segment:?} mixes text and parameters, and {{name}} stands for a whole segment")
            })?;
        let mut name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
            .collect();
        if name.is_empty() {
            name.push_str("parameter");
        }
        while names.contains(&name) {
            name.push('_');
        }
        path.push('{');
        path.push_str(&name);
        path.push('}');
        names.push(name);
    }
    Ok(path)
}
