//! Resource indicators (RFC 8707).

use super::*;
use crate::oauth::evidence::Evidence;
use crate::oauth::scope::{Demand, RestrictedTokens};

#[tokio::test]
async fn a_token_for_a_resource_is_for_that_resource() {
    let mut spec = client("a", &[("1", "s", None)]);
    let resources = ["https://orders.example", "https://stock.example", "https://localhost:8443"];
    spec.audiences = resources.map(str::to_owned).to_vec();
    let (gate, _) = gate(vec![spec.clone()]);
    let ask = async |rest: &str| {
        let body = format!("grant_type=client_credentials&client_id=a&client_secret=s&scope=read{rest}");
        let (_, body) = post(&gate, Endpoint::Token, &body).await;
        body["access_token"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| body["error"].as_str().unwrap().to_owned())
    };
    let orders = ask("&resource=https://orders.example").await.unwrap();
    let any = ask("").await.unwrap();
    let try_at = |token: &str, audience: Option<&str>| {
        let headers =
            HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        let mut demand = Demand::from(Requirement::AnyToken);
        demand.audience = audience.map(Into::into);
        let permit = gate.authorize_with(&headers, &demand, &Evidence::default());
        permit.map(|permit| permit.audience().map(str::to_owned))
    };
    let of_orders = Some("https://orders.example".to_owned());
    assert_eq!(try_at(&orders, Some("https://orders.example")), Ok(of_orders.clone()));
    // A route without an audience is the issuer's own resource, and not that of a token for another.
    assert_eq!(try_at(&orders, None), Err(Denial::WrongAudience));
    let own = ask("&resource=https://localhost:8443").await.unwrap();
    assert_eq!(try_at(&own, None), Ok(Some("https://localhost:8443".to_owned())));
    assert_eq!(try_at(&own, Some("https://orders.example")), Err(Denial::WrongAudience));
    let lenient = super::spec(vec![spec]).restricted_tokens(RestrictedTokens::AnyRoute);
    gate.reload(lenient.clone());
    assert_eq!(try_at(&orders, None), Ok(of_orders));
    gate.reload(lenient.restricted_tokens(RestrictedTokens::OwnRoutes));
    assert_eq!(try_at(&orders, None), Err(Denial::WrongAudience), "from the next request on");
    assert_eq!(try_at(&orders, Some("https://stock.example")), Err(Denial::WrongAudience));
    assert_eq!(try_at(&any, Some("https://orders.example")), Err(Denial::WrongAudience));
    let answer = gate.refuse(&Denial::WrongAudience);
    assert_eq!(answer.status(), 401);
    assert!(answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().contains("error=\"invalid_token\""));

    // RFC 8707 §2: a resource that is unknown, or not one's own.
    for resource in ["https://other.example", "https://orders.example/", "x"] {
        let asked = ask(&format!("&resource={resource}")).await;
        assert_eq!(asked, Err("invalid_target".to_owned()), "{resource}");
    }
    // A token is for one resource here; RFC 6749 §3.2 has every parameter once.
    let two = "&resource=https://orders.example&resource=https://stock.example";
    assert_eq!(ask(two).await, Err("invalid_request".to_owned()));
    let body = format!("client_id=a&client_secret=s&token={orders}");
    assert_eq!(post(&gate, Endpoint::Introspection, &body).await.1["aud"], "https://orders.example");
}
