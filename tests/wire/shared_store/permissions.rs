//! The user that the documentation names may do what the gateways do, and no more.

use super::engine::{Engine, valkey};
use super::gateways::Gateways;
use super::registration::{register, remove, replace, store};
use super::requests::wait_until;
use crate::support::run;

#[test]
fn the_user_of_the_documentation_may_do_everything_that_gateways_do() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/many-gateways.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let user = text.lines().find_map(|line| line.strip_prefix("user ")).expect("a user");
    let user = user.replace("PASSWORD", "secret");
    let engine = Engine::start(&[&["--user"][..], &user.split(' ').collect::<Vec<_>>()].concat());
    gateways_do_everything(&engine);
    if let Some(valkey) = valkey() {
        let more = user + " +client|setinfo";
        let arguments = [&["--user"][..], &more.split(' ').collect::<Vec<_>>()].concat();
        gateways_do_everything(&Engine::start_program(&valkey, &arguments));
    }
}

fn gateways_do_everything(engine: &Engine) {
    let login =
        format!("url = \"redis://127.0.0.1:{}\"\nuser = \"tollgate\"\npassword = \"secret\"", engine.port());
    let store = store(&login, 10);
    let mut gateways = Gateways::start(&[&store, &store]);
    let token = gateways.token(0);
    gateways.all_answer(&token, 200);
    gateways.revoke(1, &token).status(200);
    gateways.all_answer(&token, 401);
    let client = register(&gateways, 0).status(201).json();
    let client = replace(&gateways, 1, &client);
    remove(&gateways, 1, &client);
    let state = run(gateways.all[0].dir(), &["state"]);
    assert_eq!(state.code, Some(0), "{state:?}");
    // What an engine has lost is written to it again.
    let kept = gateways.token(1);
    engine.run(&["FLUSHALL"]);
    wait_until(|| engine.run(&["EXISTS", "{tg}:clients-version"]) == "1");
    wait_until(|| gateways.uses(0, &kept).code() == 200);
    gateways.add(&store);
    gateways.all_answer(&token, 401);
    assert_eq!(engine.run(&["ACL", "LOG"]), "", "no command was refused");
    // The user cannot read the keys of other programs.
    let denied = engine.run(&["--user", "tollgate", "--pass", "secret", "GET", "other"]);
    assert!(denied.contains("NOPERM"), "{denied}");
}
