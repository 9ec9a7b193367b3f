//! What is known of servers, and whether that keeps requests from them.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::balance::{Asking, Places};
use super::ejection::{Phase, Record};
use super::health::Verdict;
use super::resolve::Site;
use super::upstream::Server;
use crate::clock::Millis;
use crate::config::Ejection;

/// What probes and requests say of one server of an upstream. A reload keeps it while the server stays.
#[derive(Debug)]
pub(super) struct Standing {
    /// What its probes say; good where it is not probed.
    pub(super) verdict: Verdict,
    /// What its requests say.
    pub(super) record: Record,
    /// Where changes of either are told.
    pub(super) news: Arc<News>,
}

/// Counts the changes in the standing of an upstream's servers. As long as it does not move, whoever found all of them
/// well need not look again.
#[derive(Debug, Default)]
pub(super) struct News(AtomicU64);

impl News {
    /// Something changed, and is there to be read.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// How many so far. Never `u64::MAX`.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The servers that one request is to pass over; none where no server may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) avoid: Option<Places>,
    /// Nothing is wrong with any of them.
    pub(super) all_well: bool,
}

/// Looks at each server. Those that are unhealthy are never asked; those left out, or asked in vain before, only when
/// there is no other.
pub(super) fn survey(
    name: &str,
    servers: &[Arc<Server>],
    rule: Option<&Ejection>,
    asking: &Asking<'_>,
    sticky: bool,
    now: Millis,
) -> Survey {
    let mut all_well = true;
    let (mut ill, mut out, mut held_back) = (Places::default(), Places::default(), Places::default());
    for (at, server) in servers.iter().enumerate() {
        if server.standing.verdict.is_bad() {
            ill.insert(at);
            continue;
        }
        let phase = rule.map_or(Phase::In, |rule| server.standing.record.phase(rule, now));
        match phase {
            Phase::In => {}
            Phase::Out => out.insert(at),
            Phase::Returning(share) => {
                all_well = false;
                // A client that stays with a server moves back to it once.
                let lot = if sticky { asking.lot(server) } else { None };
                if lot.unwrap_or_else(chance) >= share {
                    held_back.insert(at);
                }
            }
        }
        if phase != Phase::Out && server.standing.record.announce() {
            log::info!("upstream {name:?}: {server} gets requests again, few at first");
        }
    }
    all_well &= ill.is_empty() && out.is_empty();
    let tried = asking.tried();
    let mut choices = [
        ill.with(tried).with(&out).with(&held_back),
        ill.with(tried).with(&out),
        ill.with(tried),
        ill.with(&out),
        ill,
    ]
    .into_iter();
    let avoid = choices.find(|avoid| (0..servers.len()).any(|at| !avoid.contains(at)));
    Survey { avoid, all_well }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What is known of servers and names: one set of rules takes it over from the one before.
#[derive(Debug, Default)]
pub(super) struct Roster {
    standings: HashMap<Post, Arc<Standing>>,
    news: HashMap<String, Arc<News>>,
    sites: HashMap<(String, u16), Arc<Site>>,
}

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Post {
    pub(super) upstream: String,
    /// Its URL.
    pub(super) origin: String,
    /// Whether it is probed: what probes once said must not outlive them.
    pub(super) probed: bool,
}

impl Roster {
    /// The standing of a server: the one before, if there was one.
    pub(super) fn standing(&mut self, before: Option<&Self>, post: Post) -> Arc<Standing> {
        let known = before.and_then(|before| before.standings.get(&post)).cloned();
        let standing = known.unwrap_or_else(|| {
            let news = before.and_then(|before| before.news.get(&post.upstream)).cloned();
            let news = self.news.entry(post.upstream.clone()).or_insert_with(|| news.unwrap_or_default());
            Arc::new(Standing {
                verdict: Verdict::default(),
                record: Record::default(),
                news: Arc::clone(news),
            })
        });
        self.news.insert(post.upstream.clone(), Arc::clone(&standing.news));
        self.standings.insert(post, Arc::clone(&standing));
        standing
    }

    /// The site of a name.
    pub(super) fn site(&mut self, before: Option<&Self>, host: &str, port: u16) -> Arc<Site> {
        let key = (host.to_owned(), port);
        let known = self.sites.get(&key).or_else(|| before?.sites.get(&key)).cloned();
        let site = known.unwrap_or_else(|| Arc::new(Site::new(host, port)));
        self.sites.insert(key, Arc::clone(&site));
        site
    }

    /// All sites.
    pub(super) fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.sites.values()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    const RULE: Ejection = Ejection {
        failures: NonZeroU32::MIN,
        server_errors: false,
        span: Duration::from_secs(10),
        max: Duration::from_secs(60),
        return_over: Duration::from_secs(10),
    };

    fn post(at: usize, probed: bool) -> Post {
        Post { upstream: "a".to_owned(), origin: format!("http://10.0.0.{at}"), probed }
    }

    fn servers(count: usize) -> Vec<Arc<Server>> {
        let mut roster = Roster::default();
        let server = |at| {
            let (host, standing) = (format!("10.0.0.{at}"), roster.standing(None, post(at, true)));
            let site = Arc::new(Site::new(&host, 80));
            Arc::new(Server::new(host, 80, None, site, standing))
        };
        (0..count).map(server).collect()
    }

    fn at(seconds: f64) -> Millis {
        Millis::new((seconds * 1000.0) as u64)
    }

    fn fall_ill(server: &Server) {
        server.standing.verdict.become_bad();
    }

    /// Those that may be asked, and whether all are well.
    fn asked(servers: &[Arc<Server>], asking: &Asking<'_>, now: Millis) -> (Vec<usize>, bool) {
        let survey = survey("a", servers, Some(&RULE), asking, false, now);
        let asked = survey.avoid.map(|avoid| (0..servers.len()).filter(|at| !avoid.contains(*at)).collect());
        (asked.unwrap_or_default(), survey.all_well)
    }

    #[test]
    fn who_is_asked() {
        let nobody = || Asking::new(None);
        let three = servers(3);
        assert_eq!(asked(&three, &nobody(), at(1.0)), (vec![0, 1, 2], true));
        three[0].standing.record.failure(&RULE, at(1.0));
        assert_eq!(asked(&three, &nobody(), at(2.0)), (vec![1, 2], false), "one is left out");
        fall_ill(&three[1]);
        assert_eq!(asked(&three, &nobody(), at(2.0)), (vec![2], false), "and one is ill");
        three[2].standing.record.failure(&RULE, at(2.0));
        assert_eq!(asked(&three, &nobody(), at(3.0)), (vec![0, 2], false), "better those than none");
        fall_ill(&three[0]);
        fall_ill(&three[2]);
        assert_eq!(asked(&three, &nobody(), at(3.0)), (vec![], false), "but none that is ill");
    }

    #[test]
    fn who_failed_this_request_is_asked_last_of_the_healthy() {
        let three = servers(3);
        let mut asking = Asking::failed_at(0);
        assert_eq!(asked(&three, &asking, at(1.0)), (vec![1, 2], true));
        three[1].standing.record.failure(&RULE, at(1.0));
        fall_ill(&three[2]);
        assert_eq!(asked(&three, &asking, at(2.0)).0, [1], "another server, although it is left out");
        asking.tried.insert(1);
        assert_eq!(asked(&three, &asking, at(2.0)).0, [0], "all failed: one that is not left out");
    }

    #[test]
    fn a_server_that_returns_gets_its_share_little_by_little() {
        let two = servers(2);
        two[0].standing.record.failure(&RULE, at(0.001));
        let share = |seconds| {
            let picked = |_: &u32| asked(&two, &Asking::new(None), at(seconds)).0.contains(&0);
            (0..2_000).filter(picked).count()
        };
        assert_eq!(share(9.0), 0);
        assert!((300..500).contains(&share(12.0)), "a fifth");
        assert!((1_500..1_700).contains(&share(18.0)), "four fifths");
        assert_eq!(share(20.1), 2_000);
        assert!(asked(&two, &Asking::new(None), at(20.1)).1, "all is well again");
        // One that returns, and no other: nothing is held back.
        fall_ill(&two[1]);
        assert_eq!(share(11.0), 2_000);
    }

    #[test]
    fn a_client_that_stays_with_a_server_moves_back_once() {
        let two = servers(2);
        two[0].standing.record.failure(&RULE, at(0.001));
        for client in 0..50 {
            let client = format!("c{client}");
            let mut admitted = false;
            for tenth in 100..=201 {
                let now = at(f64::from(tenth) / 10.0);
                let survey = survey("a", &two, Some(&RULE), &Asking::new(Some(&client)), true, now);
                let now_admitted = !survey.avoid.unwrap().contains(0);
                assert!(now_admitted || !admitted, "{client} was sent away again");
                admitted = now_admitted;
            }
            assert!(admitted);
        }
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_servers_that_stay() {
        let mut first = Roster::default();
        let (stays, goes) = (first.standing(None, post(1, true)), first.standing(None, post(2, true)));
        assert!(Arc::ptr_eq(&stays.news, &goes.news));
        stays.verdict.become_bad();
        let site = first.site(None, "api.example.test", 80);

        let mut second = Roster::default();
        let comes = second.standing(Some(&first), post(3, true));
        let stayed = second.standing(Some(&first), post(1, true));
        assert!(stayed.verdict.is_bad() && !comes.verdict.is_bad());
        assert!(Arc::ptr_eq(&comes.news, &stayed.news), "the servers of an upstream tell in one place");
        assert!(Arc::ptr_eq(&second.site(Some(&first), "api.example.test", 80), &site));
        assert_eq!(second.standings.len(), 2, "what is gone is forgotten");
        // Probed no more: what the probes said counts no more.
        let unprobed = Roster::default().standing(Some(&second), post(1, false));
        assert!(!unprobed.verdict.is_bad());
    }
}
