use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::encoder::Counter;
use crate::index::Match;
use crate::prompt::part::join;
use crate::prompt::{Pick, Scorer, TokenBudget};
use crate::rank::Order;

fn tables(names: &[&str]) -> Vec<TableEntry> {
    let entry = |name: &&str| TableEntry { name: (*name).to_owned(), top: None, explicit: false };
    names.iter().map(entry).collect()
}

const ALL: [&str; 6] = ["artists", "flavors", "mediums", "movements", "negative", "trendings"];

fn requested(mode: Mode, tables: &[TableEntry]) -> Vec<(String, usize)> {
    let rankings = PromptOptions::new(mode).rankings(tables);
    rankings.into_iter().map(|ranking| (ranking.tables.join("+"), ranking.count)).collect()
}

fn pick(table: &'static str, labels: &[(&'static str, f32)]) -> Pick<'static> {
    let ranked = labels.iter().enumerate();
    let matches = ranked.map(|(row, &(label, score))| Match { table, label, score, row });
    Pick { table, matches: matches.collect() }
}

/// Scores a prompt by the mean score of its parts.
struct PartScorer<'s>(&'static [(&'static str, f32)], Option<TokenBudget<'s>>);

impl PartScorer<'_> {
    fn of(&self, text: &str) -> f32 {
        let score = |part: &str| self.0.iter().find(|(p, _)| *p == part).map_or(0.0, |p| p.1);
        let parts: Vec<f32> = text.split(", ").map(score).collect();
        parts.iter().sum::<f32>() / parts.len() as f32
    }
}

impl Scorer for PartScorer<'_> {
    fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>> {
        let whole = |phrase: &&str| match prompt {
            "" => self.of(phrase),
            _ => self.of(&format!("{prompt}, {phrase}")),
        };
        Ok(phrases.iter().map(whole).collect())
    }
    fn is_full(&self, prompt: &str) -> Result<bool> {
        self.1.map_or(Ok(false), |budget| budget.is_full(prompt))
    }
    fn fits(&self, prompt: &str) -> Result<bool> {
        self.1.map_or(Ok(true), |budget| budget.fits(prompt))
    }
}

/// Counts each word and comma as a token, and two special tokens.
struct WordCounter;

impl Counter for WordCounter {
    fn count(&self, text: &str) -> Result<usize> {
        Ok(text.replace(',', " ,").split_whitespace().count() + 2)
    }
    fn context_length(&self) -> usize {
        77
    }
}

#[derive(Clone, Copy, Default)]
struct Case<'s> {
    caption: Option<&'s str>,
    picks: &'s [Pick<'s>],
    negative: &'s [&'s str],
    around: [&'s str; 2],
    tokens: Option<usize>,
    scores: &'static [(&'static str, f32)],
}

fn write(options: &PromptOptions, case: Case<'_>) -> ModeOutput {
    try_write(options, case).unwrap()
}

fn try_write(options: &PromptOptions, case: Case<'_>) -> Result<ModeOutput> {
    let part = |text: &str| if text.is_empty() { vec![] } else { vec![Part::words(text)] };
    let [before, after] = case.around.map(part);
    let budget = case.tokens.map(|most| TokenBudget::new(&WordCounter, Some(most)));
    options.write(&mut ModeInput {
        caption: case.caption,
        picks: case.picks,
        negative: case.negative,
        before: &before,
        after: &after,
        budget,
        scorer: Some(&mut PartScorer(case.scores, budget.map(|b| b.reserving(&after)))),
        progress: &mut |_| ControlFlow::Continue(()),
    })
}

#[test]
fn each_mode_requests_its_tables() {
    let all = tables(&ALL);
    let classic = |flavors| {
        ["mediums", "artists", "trendings", "movements"]
            .map(|table| (table.to_owned(), 1))
            .into_iter()
            .chain([("flavors".to_owned(), flavors)])
    };
    let merged = "artists+flavors+mediums+movements+trendings".to_owned();
    let seed = [("mediums", 1), ("movements", 1), ("flavors", 3)];
    assert_eq!(requested(Mode::Seed, &all), seed.map(|(table, count)| (table.to_owned(), count)));
    assert_eq!(requested(Mode::Classic, &all), classic(3).collect::<Vec<_>>());
    assert_eq!(requested(Mode::Fast, &all), [(merged.clone(), 32)]);
    assert_eq!(
        requested(Mode::Best, &all),
        classic(32).chain([(merged, 2048)]).collect::<Vec<_>>()
    );
    assert_eq!(requested(Mode::Negative, &all), [("flavors".to_owned(), 2048)]);
    assert_eq!(PromptOptions::new(Mode::Negative).rankings(&all)[0].order, Order::Worst);
    assert!(requested(Mode::Caption, &all).is_empty());
}

#[test]
fn explicit_tables_are_ranked_and_missing_ones_are_not() {
    let mut some = tables(&["flavors", "hats", "mediums"]);
    assert_eq!(requested(Mode::Fast, &some), [("flavors+mediums".to_owned(), 32)]);
    some[1].explicit = true;
    assert_eq!(requested(Mode::Fast, &some), [("flavors+mediums+hats".to_owned(), 32)]);
    let own = [("mediums", 1), ("hats", 1), ("flavors", 3)];
    let own = own.map(|(table, count)| (table.to_owned(), count));
    assert_eq!(requested(Mode::Seed, &some), own);
    assert_eq!(requested(Mode::Classic, &some), own);
    assert_eq!(requested(Mode::Negative, &some), [("hats".to_owned(), 2048)]);
    some[1].top = Some(4);
    assert_eq!(requested(Mode::Classic, &some)[1], ("hats".to_owned(), 4));
}

#[test]
fn classic_writes_the_artist_after_the_medium() {
    let picks = [
        pick("mediums", &[("a photo", 0.4)]),
        pick("artists", &[("by Monet", 0.3)]),
        pick("trendings", &[("behance", 0.2)]),
        pick("movements", &[("cubism", 0.2)]),
        pick("flavors", &[("fur", 0.5), ("mat", 0.4)]),
    ];
    let text = |caption| {
        let case = Case { caption: Some(caption), picks: &picks, ..Case::default() };
        write(&PromptOptions::new(Mode::Classic), case).text
    };
    assert_eq!(text("a cat"), "a cat, a photo by Monet, behance, cubism, fur, mat");
    assert_eq!(text("a photo of a cat"), "a photo of a cat by Monet, behance, cubism, fur, mat");
    let options = PromptOptions { min_score: Some(0.35), ..PromptOptions::new(Mode::Classic) };
    let case = Case { caption: Some("a cat"), picks: &picks, ..Case::default() };
    assert_eq!(write(&options, case).text, "a cat, a photo, fur, mat");
}

const LABELS: [(&str, f32); 3] = [("fur", 0.5), ("mat", 0.4), ("rug", 0.3)];

#[test]
fn best_chooses_the_candidate_with_the_best_score() {
    let picks = [pick("flavors", &LABELS[..2]), pick("labels", &LABELS)];
    let options = PromptOptions { min_flavors: 1, ..PromptOptions::new(Mode::Best) };
    let case = Case { caption: Some("a cat"), picks: &picks, ..Case::default() };
    // Only the chain finds that the third label is the best.
    let scores = &[("a cat", 1.0), ("rug", 3.0), ("mat", 1.0), ("fur", 1.0)];
    let best = write(&options, Case { scores, ..case });
    assert_eq!((best.text.as_str(), best.chosen), ("a cat, rug", Some(Mode::Best)));
    assert_eq!(best.score, Some(2.0));
    assert_eq!(best.parts[1], Part::label("rug", 0.3));
    // Ties go to the first candidate, the caption.
    let best = write(&options, Case { scores: &[], ..case });
    assert_eq!((best.text.as_str(), best.chosen), ("a cat", Some(Mode::Caption)));
}

#[test]
fn a_chain_adds_a_label_of_two_tables_once() {
    let picks = [pick("labels", &[("concept art", 0.5), ("concept art", 0.5), ("mat", 0.4)])];
    let scores = &[("a cat", 1.0), ("concept art", 9.0), ("mat", -20.0)];
    for compat in [false, true] {
        let options = PromptOptions { compat, min_flavors: 1, ..PromptOptions::new(Mode::Best) };
        let case = Case { picks: &picks, scores, ..Case::default() };
        let best = write(&options, Case { caption: Some("a cat"), ..case });
        assert_eq!((best.text.as_str(), best.score), ("a cat, concept art", Some(5.0)));
        assert_eq!(write(&options, case).text, "concept art");
    }
}

#[test]
fn a_chain_without_a_caption_starts_with_the_best_label() {
    let picks = [pick("labels", &LABELS)];
    let scores = &[("fur", 1.0), ("rug", 4.0), ("mat", -1.0)];
    let options =
        PromptOptions { min_flavors: 0, max_flavors: 1, ..PromptOptions::new(Mode::Best) };
    let best = write(&options, Case { picks: &picks, scores, ..Case::default() });
    assert_eq!((best.text.as_str(), best.score), ("fur, rug", Some(2.5)));
    let none = write(&options, Case::default());
    assert_eq!((none.text.as_str(), none.score), ("", None));
}

#[test]
fn negative_starts_with_the_worst_label_and_adds_each_phrase_once() {
    let picks = [pick("flavors", &LABELS)];
    let options = PromptOptions { min_flavors: 0, ..PromptOptions::new(Mode::Negative) };
    let scores = &[("fur", 1.0), ("mat", -1.0), ("rug", 2.0), ("blurry", -2.0)];
    let negative = &["blurry", "mat"];
    let case = Case { picks: &picks, negative, scores, ..Case::default() };
    let found = write(&options, case);
    assert_eq!((found.text.as_str(), found.score), ("blurry", Some(-2.0)));
    // With the wrong sign, each step looks like an improvement.
    let compat = PromptOptions { compat: true, min_flavors: 2, ..options.clone() };
    assert_eq!(write(&compat, case).text, "blurry, mat");
    let long = PromptOptions { min_flavors: 2, ..options };
    assert_eq!(write(&long, Case { scores: &[], ..case }).text, "fur");
}

#[test]
fn prefix_and_suffix_are_kept_within_the_token_limit() {
    let picks = [pick("labels", &LABELS)];
    let options = PromptOptions::new(Mode::Fast);
    let case = Case {
        caption: Some("a cat, asleep"),
        picks: &picks,
        around: ["style", "4k"],
        ..Case::default()
    };
    assert_eq!(write(&options, case).text, "style, a cat, asleep, fur, mat, rug, 4k");
    let short = |tokens| write(&options, Case { tokens: Some(tokens), ..case }).text;
    assert_eq!(short(12), "style, a cat, asleep, fur, 4k");
    assert_eq!(short(11), "style, a cat, asleep, 4k");
    assert_eq!(short(7), "style, a, 4k");
    let loose = PromptOptions { compat: true, ..options };
    let cut = write(&loose, Case { tokens: Some(8), ..case });
    assert_eq!((cut.text.as_str(), cut.parts.len()), ("style, a cat, asleep", 3));
}

#[test]
fn compat_keeps_empty_pieces_of_a_caption() {
    let picks = [pick("labels", &LABELS)];
    let case = Case { caption: Some("one, , two, "), picks: &picks, ..Case::default() };
    for (compat, expected) in [(false, "one, two, fur"), (true, "one, , two, , fur")] {
        let options = PromptOptions { compat, max_flavors: 1, ..PromptOptions::new(Mode::Fast) };
        assert_eq!(write(&options, case).text, expected);
        assert_eq!(write(&options, Case { tokens: Some(20), ..case }).text, expected);
    }
}

#[test]
fn a_mode_that_scores_needs_a_scorer() {
    for mode in Mode::ALL {
        let mut input = ModeInput {
            caption: Some("a cat"),
            picks: &[],
            negative: &["blurry"],
            before: &[],
            after: &[],
            budget: None,
            scorer: None,
            progress: &mut |_| ControlFlow::Continue(()),
        };
        assert_eq!(
            PromptOptions::new(mode).write(&mut input).is_err(),
            mode.scores_texts(),
            "{mode:?}"
        );
    }
}

/// The flavors shipped with clip-interrogator 0.6.0 have such labels.
#[test]
fn the_first_label_of_a_chain_is_cut_to_the_token_limit() {
    let long = "a long label of words ".repeat(20);
    let matches = [(long.trim_end(), 0.9), ("short one", 0.8), ("fur", 0.7)];
    let matches = matches.into_iter().enumerate();
    let matches =
        matches.map(|(row, (label, score))| Match { table: "labels", label, score, row }).collect();
    let picks = [Pick { table: "labels", matches }];
    let options =
        PromptOptions { min_flavors: 1, max_flavors: 2, ..PromptOptions::new(Mode::Best) };
    let case = Case { picks: &picks, tokens: Some(8), ..Case::default() };
    assert_eq!(write(&options, case).text, "a long label of words a");
    let best = write(&options, Case { scores: &[("short one", 1.0)], ..case });
    assert_eq!((best.text.as_str(), best.chosen), ("short one", Some(Mode::Best)));
}

#[test]
fn a_progress_callback_that_breaks_interrupts_chains() {
    for mode in Mode::ALL {
        let picks = [pick("labels", &LABELS)];
        let mut input = ModeInput {
            caption: Some("a cat"),
            picks: &picks,
            negative: &["blurry"],
            before: &[],
            after: &[],
            budget: None,
            scorer: Some(&mut PartScorer(&[], None)),
            progress: &mut |_| ControlFlow::Break(()),
        };
        let result = PromptOptions::new(mode).write(&mut input);
        assert_eq!(matches!(result, Err(Error::Interrupted)), mode.scores_texts(), "{mode:?}");
    }
}

/// A pick of `labels` with falling scores.
fn falling<'a>(table: &'static str, labels: &'a [String]) -> Pick<'a> {
    let score = |row: usize| 0.9 - row as f32 / 16.0;
    let ranked = labels.iter().enumerate();
    let matches = ranked.map(|(row, label)| Match { table, label, score: score(row), row });
    Pick { table, matches: matches.collect() }
}

/// Labels, captions, prefixes and suffixes: words, commas and runs of spaces.
const TEXT: &str = "([a-z]{1,3}|[a-z],|  |, )( [a-z]{1,3}){0,9}(, [a-z]{1,3}){0,4}";

proptest! {
    #[test]
    fn no_mode_exceeds_the_token_limit(
        caption in prop::option::of(TEXT),
        labels in prop::collection::vec(TEXT, 0..12),
        negative in prop::collection::vec(TEXT, 0..3),
        around in prop::option::of(["[a-z]{1,3}( [a-z]{1,3}){0,2}", "[a-z]{1,3}"]),
        tokens in 2usize..40,
        (min_flavors, max_flavors) in (0usize..4, 0usize..9),
    ) {
        let half = labels.len() / 2;
        let tables = ["mediums", "artists", "labels"];
        let picks = [&labels[..half], &labels[half..], &labels].into_iter().zip(tables);
        let picks: Vec<Pick<'_>> = picks.map(|(labels, table)| falling(table, labels)).collect();
        let negative: Vec<&str> = negative.iter().map(String::as_str).collect();
        let around = around.unwrap_or_default();
        let around = [around[0].as_str(), around[1].as_str()];
        let needed = join(&around.map(Part::words));
        for mode in Mode::ALL {
            let case = Case {
                caption: caption.as_deref(),
                picks: &picks,
                negative: &negative,
                around,
                tokens: Some(tokens),
                ..Case::default()
            };
            let options = PromptOptions { min_flavors, max_flavors, ..PromptOptions::new(mode) };
            let output = match try_write(&options, case) {
                Ok(output) => output,
                Err(error) => {
                    prop_assert!(WordCounter.count(&needed).unwrap() > tokens, "{mode:?} {error}");
                    continue;
                }
            };
            prop_assert_eq!(&join(&output.parts), &output.text);
            prop_assert!(WordCounter.count(&output.text).unwrap() <= tokens, "{mode:?} {output:?}");
            if mode == Mode::Best && !output.text.is_empty() {
                prop_assert!(output.score.is_some());
            }
        }
    }
}
