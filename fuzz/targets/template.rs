//! Templates of prompts, deny lists, and names of models and files.

#![no_main]

use std::path::Path;

use interrogate::index::format::{is_index_file, is_table_name};
use interrogate::index::{Digest, Match};
use interrogate::models::ModelSource;
use interrogate::prompt::{Deny, Part, Pick, Prompt, Template, join, weighted};
use interrogate_fuzz::first;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, text) = first(bytes);
    let text = &*String::from_utf8_lossy(text);
    match choice % 3 {
        0 => template(text),
        1 => {
            if let Ok(deny) = Deny::parse(text, Path::new("deny.txt")) {
                deny.denies(text);
                deny.denies("by greg rutkowski");
            }
        }
        _ => names(text),
    }
});

fn template(text: &str) {
    let Ok(template) = text.parse::<Template>() else { return };
    assert_eq!(template.to_string().parse::<Template>().expect("as shown"), template);
    let tables = [("flavors", None), ("mediums", Some(2)), ("bodies", None)];
    let recipe = template.recipe(tables, 3);
    let found = |label, score| Match { label, score, table: "mediums", row: 0 };
    let picks = vec![Pick { table: "mediums", matches: vec![found("a{}", 0.2), found("b", 0.1)] }];
    if let Ok(recipe) = recipe {
        assert!(recipe.tables.iter().all(|table| table.count > 0));
        let prompt = Prompt::new(Some(text), picks, &recipe);
        template.render(&prompt, Some(0.15));
    }
    let parts = Part::caption(text);
    assert!(join(&parts).len() <= text.len());
    weighted(&parts);
}

fn names(text: &str) {
    if let Ok(source) = text.parse::<ModelSource>() {
        assert!(is_table_name(&source.slug()) || source.slug().ends_with(['-', '.']));
        assert!(!source.slug().contains(['/', '\\']) && !source.slug().is_empty());
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert!(digest.to_string().eq_ignore_ascii_case(text));
    }
    if is_index_file(text) {
        assert!(!text.contains(['/', '\\', '\0']) && !text.starts_with('.'));
    }
}
