use std::collections::BTreeSet;

use super::books::Books;
use crate::documents::{OpenRun, encode, hash};
use crate::time::Millis;
use crate::verify::{Chain, Finding, Link, check_beyond, check_layout, check_manifest};
use crate::words::{RandomId, RunNumber};

/// The links of some of the layouts, and what is wrong with the chain.
fn links(books: &Books, standing: &[usize]) -> (Vec<Link>, Vec<Finding>) {
    let layouts: Vec<_> = standing.iter().map(|at| books.standing(*at)).collect();
    let names: BTreeSet<_> = layouts.iter().map(|standing| standing.after).collect();
    let told = books.manifests.iter().map(|manifest| manifest.run).collect();
    let mut chain = Chain::new(&books.head, names, told, true);
    let mut findings = Vec::new();
    let mut links: Vec<Link> =
        layouts.into_iter().flat_map(|standing| chain.admit(standing, &mut findings)).collect();
    links.extend(chain.end(&mut findings));
    (links, findings)
}

/// What is wrong with both layouts and manifests.
fn findings(books: &Books) -> Vec<String> {
    let (first, second) = (books.link(0), books.link(1));
    let mut findings = Vec::new();
    for (link, next) in [(&first, Some(&second)), (&second, None)] {
        let believed = check_layout(&books.head, link, next, &mut findings);
        let expected = if believed { link.expected(|_| 0) } else { None };
        check_manifest(&books.head, link, expected.as_ref(), &mut findings);
    }
    findings.into_iter().map(|finding| format!("{}: {}", finding.at, finding.message)).collect()
}

#[test]
fn a_chain_without_a_gap_is_whole() {
    let books = Books::new();
    let (links, found) = links(&books, &[0, 1]);
    assert_eq!(links.iter().map(|link| link.run.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(found, []);
    assert_eq!(findings(&books), [""; 0]);
}

#[test]
fn a_layout_that_is_gone_is_named_and_its_run_is_known() {
    for (left, gone, runs) in [
        (&[1][..], "_runs/p/0000000000.next.json", [1, 3]),
        (&[0], "_runs/p/0000000001.next.json", [1, 3]),
    ] {
        let (links, found) = links(&Books::new(), left);
        assert_eq!(links.iter().map(|link| link.run.0).collect::<Vec<_>>(), runs);
        assert_eq!(found.len(), 1);
        assert!(found[0].at == gone && found[0].message.starts_with("it is gone"), "{found:?}");
    }
}

/// The last layout is vouched for by the state, each other one by the layout behind it.
#[test]
fn a_layout_that_was_changed_is_named_and_not_its_neighbour() {
    for (at, path) in [(0, "_runs/p/0000000000.next.json"), (1, "_runs/p/0000000001.next.json")] {
        let mut books = Books::new();
        let layout = &mut books.layouts[at].0;
        layout.laid_out_at = Millis(77);
        books.layouts[at].1 = hash(&encode(&books.layouts[at].0));
        let found = findings(&books);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(path) && found[0].contains("not those that were written"));
    }
}

/// Layout and manifest of a run, both replaced: the layout behind them follows another one.
#[test]
fn a_forged_run_is_noticed_by_the_one_behind_it() {
    let mut books = Books::new();
    books.layouts[0].0.laid_out_at = Millis(77);
    books.layouts[0].1 = hash(&encode(&books.layouts[0].0));
    books.manifests[0].layout_hash = books.layouts[0].1.clone();
    books.manifests[0].laid_out_at = Millis(77);
    let found = findings(&books);
    assert!(found.len() == 1 && found[0].contains("is not the one that it follows"), "{found:?}");
}

#[test]
fn what_no_layout_may_say_is_named() {
    type Edit = fn(&mut crate::documents::Layout);
    let edits: [(&str, Edit); 5] = [
        ("of another pipeline", |layout| layout.birth_id = RandomId(5)),
        ("stands in the place of run 3", |layout| layout.run = RunNumber(4)),
        ("does not follow run 1", |layout| layout.previous_manifest = None),
        ("is no name of its file 1", |layout| layout.files[0].number = 2),
        ("is no name of its file 1", |layout| layout.files[0].path = "t/q-1.parquet".to_owned()),
    ];
    for (said, edit) in edits {
        let mut books = Books::new();
        edit(&mut books.layouts[1].0);
        let mut link = books.link(1);
        (link.run, link.after) = (RunNumber(3), RunNumber(1));
        let mut found = Vec::new();
        assert!(!check_layout(&books.head, &link, None, &mut found), "{said}");
        assert!(found.iter().any(|finding| finding.message.contains(said)), "{said}: {found:?}");
    }
}

#[test]
fn behind_the_last_layout_only_that_of_the_open_run_may_stand() {
    let mut books = Books::new();
    let mut standing = books.standing(1);
    books.head.layout.as_mut().expect("it has one").run = RunNumber(1);
    books.head.layout.as_mut().expect("it has one").hash = books.layouts[0].1.clone();
    let committed = Books::new().head;
    assert!(check_beyond(&books.head, &books.head, &standing).is_some(), "no run is open");
    assert_eq!(check_beyond(&books.head, &committed, &standing), None, "committed meanwhile");
    let lease = crate::documents::Lease { holder: RandomId(3), until: Millis(0) };
    books.head.open = Some(OpenRun {
        run: RunNumber(3),
        plan: RandomId(3),
        plan_hash: String::new(),
        opened_at: Millis(0),
        chain: 0,
        attempts: Vec::new(),
        quarantined: Vec::new(),
        reading: lease,
        finalizing: None,
        finalizer_starts: 0,
        aborting: None,
    });
    assert_eq!(check_beyond(&books.head, &books.head, &standing), None);
    let mut rival = books.head.clone();
    rival.open.as_mut().expect("it is open").plan = RandomId(8);
    let found = check_beyond(&rival, &rival, &standing).expect("of another plan");
    assert!(found.message.contains("another plan"), "{found:?}");
    standing.after = RunNumber(7);
    let found = check_beyond(&books.head, &books.head, &standing).expect("in no chain");
    assert!(found.message.contains("no run 7 was laid out"), "{found:?}");
}
