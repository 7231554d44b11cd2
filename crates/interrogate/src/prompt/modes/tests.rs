use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::encoder::Counter;
use crate::index::Match;
use crate::rank::Order;

fn tables(names: &[&str]) -> Vec<TableEntry> {
    let listed = |name: &&str| TableEntry { name: (*name).to_owned(), top: None, explicit: false };
    names.iter().map(listed).collect()
}

const ALL: [&str; 6] = ["artists", "flavors", "mediums", "movements", "negative", "trendings"];

fn asked(mode: Mode, tables: &[TableEntry]) -> Vec<(String, usize)> {
    let asks = PromptOptions::new(mode).rankings(tables);
    asks.into_iter().map(|ask| (ask.tables.join("+"), ask.count)).collect()
}

fn pick(table: &'static str, labels: &[(&'static str, f32)]) -> Pick<'static> {
    let ranked = labels.iter().enumerate();
    let matches = ranked.map(|(row, &(label, score))| Match { table, label, score, row });
    Pick { table, matches: matches.collect() }
}

/// A prompt's score is the mean worth of its parts.
struct Worths<'s>(&'static [(&'static str, f32)], Option<TokenBudget<'s>>);

impl Worths<'_> {
    fn of(&self, text: &str) -> f32 {
        let worth = |part: &str| self.0.iter().find(|(p, _)| *p == part).map_or(0.0, |p| p.1);
        let parts: Vec<f32> = text.split(", ").map(worth).collect();
        parts.iter().sum::<f32>() / parts.len() as f32
    }
}

impl Scorer for Worths<'_> {
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

/// A token a word or comma, and two around them.
struct Words;

impl Counter for Words {
    fn count(&self, text: &str) -> Result<usize> {
        Ok(text.replace(',', " ,").split_whitespace().count() + 2)
    }
    fn context_length(&self) -> usize {
        77
    }
}

#[derive(Clone, Copy, Default)]
struct Given<'s> {
    caption: Option<&'s str>,
    picks: &'s [Pick<'s>],
    negative: &'s [&'s str],
    around: [&'s str; 2],
    tokens: Option<usize>,
    worths: &'static [(&'static str, f32)],
}

fn write(options: &PromptOptions, given: Given<'_>) -> ModeOutput {
    tried(options, given).unwrap()
}

fn tried(options: &PromptOptions, given: Given<'_>) -> Result<ModeOutput> {
    let part = |text: &str| if text.is_empty() { vec![] } else { vec![Part::words(text)] };
    let [before, after] = given.around.map(part);
    let budget = given.tokens.map(|most| TokenBudget::new(&Words, Some(most)));
    options.write(&mut ModeInput {
        caption: given.caption,
        picks: given.picks,
        negative: given.negative,
        before: &before,
        after: &after,
        budget,
        scorer: Some(&mut Worths(given.worths, budget.map(|b| b.reserving(&after)))),
        progress: &mut |_| ControlFlow::Continue(()),
    })
}

#[test]
fn each_mode_asks_for_its_tables() {
    let all = tables(&ALL);
    let classic = |flavors| {
        ["mediums", "artists", "trendings", "movements"]
            .map(|table| (table.to_owned(), 1))
            .into_iter()
            .chain([("flavors".to_owned(), flavors)])
    };
    let merged = "artists+flavors+mediums+movements+trendings".to_owned();
    let seed = [("mediums", 1), ("movements", 1), ("flavors", 3)];
    assert_eq!(asked(Mode::Seed, &all), seed.map(|(table, count)| (table.to_owned(), count)));
    assert_eq!(asked(Mode::Classic, &all), classic(3).collect::<Vec<_>>());
    assert_eq!(asked(Mode::Fast, &all), [(merged.clone(), 32)]);
    assert_eq!(asked(Mode::Best, &all), classic(32).chain([(merged, 2048)]).collect::<Vec<_>>());
    assert_eq!(asked(Mode::Negative, &all), [("flavors".to_owned(), 2048)]);
    assert_eq!(PromptOptions::new(Mode::Negative).rankings(&all)[0].order, Order::Worst);
    assert!(asked(Mode::Caption, &all).is_empty());
}

#[test]
fn tables_that_are_named_take_part_and_those_that_are_gone_do_not() {
    let mut some = tables(&["flavors", "hats", "mediums"]);
    assert_eq!(asked(Mode::Fast, &some), [("flavors+mediums".to_owned(), 32)]);
    some[1].explicit = true;
    assert_eq!(asked(Mode::Fast, &some), [("flavors+mediums+hats".to_owned(), 32)]);
    let own = [("mediums", 1), ("hats", 1), ("flavors", 3)];
    let own = own.map(|(table, count)| (table.to_owned(), count));
    assert_eq!(asked(Mode::Seed, &some), own);
    assert_eq!(asked(Mode::Classic, &some), own);
    assert_eq!(asked(Mode::Negative, &some), [("hats".to_owned(), 2048)]);
    some[1].top = Some(4);
    assert_eq!(asked(Mode::Classic, &some)[1], ("hats".to_owned(), 4));
}

#[test]
fn classic_puts_the_artist_behind_the_medium() {
    let picks = [
        pick("mediums", &[("a photo", 0.4)]),
        pick("artists", &[("by Monet", 0.3)]),
        pick("trendings", &[("behance", 0.2)]),
        pick("movements", &[("cubism", 0.2)]),
        pick("flavors", &[("fur", 0.5), ("mat", 0.4)]),
    ];
    let text = |caption| {
        let given = Given { caption: Some(caption), picks: &picks, ..Given::default() };
        write(&PromptOptions::new(Mode::Classic), given).text
    };
    assert_eq!(text("a cat"), "a cat, a photo by Monet, behance, cubism, fur, mat");
    assert_eq!(text("a photo of a cat"), "a photo of a cat by Monet, behance, cubism, fur, mat");
    let options = PromptOptions { min_score: Some(0.35), ..PromptOptions::new(Mode::Classic) };
    let given = Given { caption: Some("a cat"), picks: &picks, ..Given::default() };
    assert_eq!(write(&options, given).text, "a cat, a photo, fur, mat");
}

const LABELS: [(&str, f32); 3] = [("fur", 0.5), ("mat", 0.4), ("rug", 0.3)];

#[test]
fn best_is_what_scores_best_as_a_whole() {
    let picks = [pick("flavors", &LABELS[..2]), pick("labels", &LABELS)];
    let options = PromptOptions { min_flavors: 1, ..PromptOptions::new(Mode::Best) };
    let given = Given { caption: Some("a cat"), picks: &picks, ..Given::default() };
    // Alone the chain sees that the third label is the best.
    let worths = &[("a cat", 1.0), ("rug", 3.0), ("mat", 1.0), ("fur", 1.0)];
    let best = write(&options, Given { worths, ..given });
    assert_eq!((best.text.as_str(), best.chosen), ("a cat, rug", Some(Mode::Best)));
    assert_eq!(best.score, Some(2.0));
    assert_eq!(best.parts[1], Part::label("rug", 0.3));
    // Ties go to the first: the caption.
    let best = write(&options, Given { worths: &[], ..given });
    assert_eq!((best.text.as_str(), best.chosen), ("a cat", Some(Mode::Caption)));
}

#[test]
fn a_chain_takes_a_label_that_two_tables_have_once() {
    let picks = [pick("labels", &[("concept art", 0.5), ("concept art", 0.5), ("mat", 0.4)])];
    let worths = &[("a cat", 1.0), ("concept art", 9.0), ("mat", -20.0)];
    for compat in [false, true] {
        let options = PromptOptions { compat, min_flavors: 1, ..PromptOptions::new(Mode::Best) };
        let given = Given { picks: &picks, worths, ..Given::default() };
        let best = write(&options, Given { caption: Some("a cat"), ..given });
        assert_eq!((best.text.as_str(), best.score), ("a cat, concept art", Some(5.0)));
        assert_eq!(write(&options, given).text, "concept art");
    }
}

#[test]
fn without_a_caption_a_chain_begins_with_the_best_label() {
    let picks = [pick("labels", &LABELS)];
    let worths = &[("fur", 1.0), ("rug", 4.0), ("mat", -1.0)];
    let options =
        PromptOptions { min_flavors: 0, max_flavors: 1, ..PromptOptions::new(Mode::Best) };
    let best = write(&options, Given { picks: &picks, worths, ..Given::default() });
    assert_eq!((best.text.as_str(), best.score), ("fur, rug", Some(2.5)));
    let none = write(&options, Given::default());
    assert_eq!((none.text.as_str(), none.score), ("", None));
}

#[test]
fn negative_begins_with_what_fits_least_and_takes_each_phrase_once() {
    let picks = [pick("flavors", &LABELS)];
    let options = PromptOptions { min_flavors: 0, ..PromptOptions::new(Mode::Negative) };
    let worths = &[("fur", 1.0), ("mat", -1.0), ("rug", 2.0), ("blurry", -2.0)];
    let negative = &["blurry", "mat"];
    let given = Given { picks: &picks, negative, worths, ..Given::default() };
    let found = write(&options, given);
    assert_eq!((found.text.as_str(), found.score), ("blurry", Some(-2.0)));
    // The wrong sign makes each step look like progress.
    let compat = PromptOptions { compat: true, min_flavors: 2, ..options.clone() };
    assert_eq!(write(&compat, given).text, "blurry, mat");
    let long = PromptOptions { min_flavors: 2, ..options };
    assert_eq!(write(&long, Given { worths: &[], ..given }).text, "fur");
}

#[test]
fn what_stands_around_stays_and_the_budget_holds() {
    let picks = [pick("labels", &LABELS)];
    let options = PromptOptions::new(Mode::Fast);
    let given = Given {
        caption: Some("a cat, asleep"),
        picks: &picks,
        around: ["style", "4k"],
        ..Given::default()
    };
    assert_eq!(write(&options, given).text, "style, a cat, asleep, fur, mat, rug, 4k");
    let short = |tokens| write(&options, Given { tokens: Some(tokens), ..given }).text;
    assert_eq!(short(12), "style, a cat, asleep, fur, 4k");
    assert_eq!(short(11), "style, a cat, asleep, 4k");
    assert_eq!(short(7), "style, a, 4k");
    let loose = PromptOptions { compat: true, ..options };
    let cut = write(&loose, Given { tokens: Some(8), ..given });
    assert_eq!((cut.text.as_str(), cut.parts.len()), ("style, a cat, asleep", 3));
}

#[test]
fn compat_keeps_the_empty_pieces_of_a_caption() {
    let picks = [pick("labels", &LABELS)];
    let given = Given { caption: Some("one, , two, "), picks: &picks, ..Given::default() };
    for (compat, expected) in [(false, "one, two, fur"), (true, "one, , two, , fur")] {
        let options = PromptOptions { compat, max_flavors: 1, ..PromptOptions::new(Mode::Fast) };
        assert_eq!(write(&options, given).text, expected);
        assert_eq!(write(&options, Given { tokens: Some(20), ..given }).text, expected);
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

/// What clip-interrogator 0.6.0's shipped flavors hold, and no caption before it.
#[test]
fn without_a_caption_the_first_label_of_a_chain_keeps_to_the_budget() {
    let long = "a long label of words ".repeat(20);
    let matches = [(long.trim_end(), 0.9), ("short one", 0.8), ("fur", 0.7)];
    let matches = matches.into_iter().enumerate();
    let matches =
        matches.map(|(row, (label, score))| Match { table: "labels", label, score, row }).collect();
    let picks = [Pick { table: "labels", matches }];
    let options =
        PromptOptions { min_flavors: 1, max_flavors: 2, ..PromptOptions::new(Mode::Best) };
    let given = Given { picks: &picks, tokens: Some(8), ..Given::default() };
    assert_eq!(write(&options, given).text, "a long label of words a");
    let best = write(&options, Given { worths: &[("short one", 1.0)], ..given });
    assert_eq!((best.text.as_str(), best.chosen), ("short one", Some(Mode::Best)));
}

#[test]
fn a_progress_that_breaks_interrupts_modes_with_chains() {
    for mode in Mode::ALL {
        let picks = [pick("labels", &LABELS)];
        let mut input = ModeInput {
            caption: Some("a cat"),
            picks: &picks,
            negative: &["blurry"],
            before: &[],
            after: &[],
            budget: None,
            scorer: Some(&mut Worths(&[], None)),
            progress: &mut |_| ControlFlow::Break(()),
        };
        let result = PromptOptions::new(mode).write(&mut input);
        assert_eq!(matches!(result, Err(Error::Interrupted)), mode.scores_texts(), "{mode:?}");
    }
}

/// A pick of `labels`, each of which scores less than the one before.
fn falling<'a>(table: &'static str, labels: &'a [String]) -> Pick<'a> {
    let score = |row: usize| 0.9 - row as f32 / 16.0;
    let ranked = labels.iter().enumerate();
    let matches = ranked.map(|(row, label)| Match { table, label, score: score(row), row });
    Pick { table, matches: matches.collect() }
}

/// Labels, captions and what stands around them: words, commas, runs of spaces, and
/// words that no cut makes shorter.
const TEXT: &str = "([a-z]{1,3}|[a-z],|  |, )( [a-z]{1,3}){0,9}(, [a-z]{1,3}){0,4}";

proptest! {
    #[test]
    fn no_mode_leaves_its_budget(
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
            let given = Given {
                caption: caption.as_deref(),
                picks: &picks,
                negative: &negative,
                around,
                tokens: Some(tokens),
                ..Given::default()
            };
            let options = PromptOptions { min_flavors, max_flavors, ..PromptOptions::new(mode) };
            let written = match tried(&options, given) {
                Ok(written) => written,
                Err(error) => {
                    prop_assert!(Words.count(&needed).unwrap() > tokens, "{mode:?} {error}");
                    continue;
                }
            };
            prop_assert_eq!(&join(&written.parts), &written.text);
            prop_assert!(Words.count(&written.text).unwrap() <= tokens, "{mode:?} {written:?}");
            if mode == Mode::Best && !written.text.is_empty() {
                prop_assert!(written.score.is_some());
            }
        }
    }
}
