//! Registries of small designs: what is one unit, where it comes from, what it was worth, where it fits.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use genesys_check::CheckedDesign;
use genesys_compiler::check_text;

use super::*;

fn design(text: &str) -> CheckedDesign {
    let checked = check_text("test.gau", text);
    checked.design.unwrap_or_else(|| panic!("{:?}\n{text}", checked.diagnostics))
}

fn grown(name: &str, mixer: &str, body: &str) -> CheckedDesign {
    design(&format!(
        "use std::{{RmsNorm}}\ndesign {name} {{ stack = [B*] }}\nunit B(x: Seq[D]) -> Seq[D] {{ x + {mixer}(RmsNorm(x)) }}\n\
         /// Mixes what stands before.\nunit {mixer}<H = 4>(x: Seq[D]) -> Seq[D] {{ {body} }}"
    ))
}

fn child_of(parent: &CheckedDesign) -> Origin {
    Origin { parents: vec![parent.hash().to_string()] }
}

fn named<'a>(registry: &'a Registry, name: &str) -> Vec<&'a Entry> {
    registry.entries().filter(|entry| entry.name == name).collect()
}

#[test]
fn an_entry_says_what_a_unit_takes_gives_and_costs() {
    let mut registry = Registry::default();
    let one = grown("One", "Mix", "linear[D -> D](shift(x, 2))");
    assert_eq!(registry.add(&one, Origin::default()).len(), 2);
    let [mix] = named(&registry, "Mix")[..] else { panic!("there is one `Mix`") };
    assert_eq!(mix.signature, "unit Mix<H = 4>(x: Seq[D]) -> Seq[D]");
    assert_eq!((mix.docs.as_str(), mix.interface.as_str()), ("Mixes what stands before.", "Seq[D] -> Seq[D]"));
    assert_eq!((mix.cost.parameters.as_str(), mix.cost.forward.as_str()), ("D*D", "2 D^2 * T"));
    assert_eq!((mix.cost.label.as_str(), mix.cost.reach.as_str()), ("local", "2"));
    assert!(mix.text.contains("/// Mixes what stands before.") && mix.text.contains("shift(x, 2)"), "{}", mix.text);
    assert_eq!(mix.designs, [one.hash().to_string()]);
    let [block] = named(&registry, "B")[..] else { panic!("there is one `B`") };
    assert!(block.text.contains("unit Mix<H = 4>") && block.text.starts_with("use std::RmsNorm"), "{}", block.text);
}

#[test]
fn a_unit_under_another_name_is_the_same_and_one_that_does_something_else_is_not() {
    let mut registry = Registry::default();
    registry.add(&grown("One", "Mix", "linear[D -> D](shift(x, 2))"), Origin::default());
    let two = grown("Two", "Blend", "tanh(linear[D -> D](shift(x, 2)))");
    registry.add(&two, Origin::default());
    let again = grown("Three", "Stir", "linear[D -> D](shift(x, 2))");
    assert!(registry.add(&again, Origin::default()).is_empty(), "equal designs have equal hashes");
    let other = design(
        "design Four { stack = [Other*] }\nunit Other(x: Seq[D]) -> Seq[D] { x + Stir(x) }\n\
         unit Stir<H = 4>(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 2)) }",
    );
    assert_eq!(registry.add(&other, Origin::default()).len(), 1, "`Stir` is known as `Mix`");
    assert_eq!(named(&registry, "Mix")[0].designs.len(), 2);
    assert_eq!(named(&registry, "Stir").len(), 0);
    assert_ne!(named(&registry, "Mix")[0].key, named(&registry, "Blend")[0].key);
}

#[test]
fn a_changed_unit_comes_from_the_one_that_stood_in_its_place() {
    let mut registry = Registry::default();
    let bodies = ["linear[D -> D](shift(x, 1))", "linear[D -> D](shift(x, 2))", "linear[D -> D](shift(x, 3))"];
    let designs = bodies.map(|body| grown("One", "Mix", body));
    registry.add(&designs[0], Origin::default());
    registry.add(&designs[1], child_of(&designs[0]));
    registry.add(&designs[2], child_of(&designs[1]));
    let keys: Vec<_> = named(&registry, "Mix").iter().map(|entry| entry.key.clone()).collect();
    let lineage: Vec<_> = registry.lineage(&keys[2]).iter().map(|entry| entry.key.clone()).collect();
    assert_eq!(lineage, [keys[1].clone(), keys[0].clone()]);
    assert!(registry.lineage(&keys[0]).is_empty());
}

#[test]
fn units_of_a_draft_are_known_and_fit_and_are_of_no_design_until_one_has_them() {
    let mut registry = Registry::default();
    let parent = grown("One", "Mix", "linear[D -> D](shift(x, 1))");
    registry.add(&parent, Origin::default());
    let draft = check_text(
        "draft.gau",
        "design S { stack = [Shell*] }\nunit Shell(x: Seq[D]) -> Seq[D] { x + Mix(x) + Open(x) }\n\
         unit Mix<H = 4>(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 2)) }\nunit Open(x: Seq[D]) -> Seq[D];",
    );
    assert!(draft.sketch.is_some(), "{:?}", draft.diagnostics);
    let new = registry.add_draft(&draft.syntax, &child_of(&parent));
    // What calls a unit without a body is not written to the end.
    let [key] = &new[..] else { panic!("`Mix` alone is new: {new:?}") };
    let entry = registry.get(key).unwrap();
    assert!(entry.text.contains("shift(x, 2)") && entry.designs.is_empty(), "{entry:?}");
    assert_eq!(entry.from.as_ref(), Some(&named(&registry, "Mix")[0].key), "what the parent had in its place");
    assert!(registry.add_draft(&draft.syntax, &child_of(&parent)).is_empty(), "once");
    let sketch = "design S { stack = [Shell*] }\nunit Shell(x: Seq[D]) -> Seq[D] { x + Mixer(x) }\n\
                  unit Mixer(x: Seq[D]) -> Seq[D];";
    let sketch = check_text("sketch.gau", sketch).sketch.unwrap();
    let fits = registry.fitting(&sketch, &sketch.holes()[0], &BTreeMap::new());
    assert!(fits.iter().any(|fit| fit.entry.is_some_and(|entry| entry.key == *key)), "it fits a hole");
    let child = grown("Two", "Mix", "linear[D -> D](shift(x, 2))");
    let came = registry.add(&child, child_of(&parent));
    assert!(!came.contains(key) && registry.get(key).unwrap().designs == [child.hash().to_string()], "{came:?}");
    let scores = [(&parent, 4.0), (&child, 3.0)].map(|(design, score)| (design.hash().to_string(), score));
    assert_eq!(registry.credits(&scores.into())[key], Credit { gain: 0.25, steps: 1 }, "as if it were new");
}

#[test]
fn what_came_is_credited_with_what_became_better_and_what_went_with_what_became_worse() {
    let mut registry = Registry::default();
    let bodies = ["linear[D -> D](shift(x, 1))", "linear[D -> D](shift(x, 2))", "linear[D -> D](shift(x, 3))"];
    let [one, two, three] = bodies.map(|body| grown("One", "Mix", body));
    registry.add(&one, Origin::default());
    registry.add(&two, child_of(&one));
    registry.add(&three, child_of(&two));
    let scores = [(&one, 4.0), (&two, 3.0), (&three, f64::NAN)];
    let scores: BTreeMap<String, f64> = scores.map(|(design, score)| (design.hash().to_string(), score)).into();
    let credits = registry.credits(&scores);
    let mix = named(&registry, "Mix");
    // `B` and what it calls changed: two came, two went.
    assert_eq!(credits[&mix[1].key], Credit { gain: 0.25, steps: 1 });
    assert_eq!(credits[&mix[0].key], Credit { gain: -0.25, steps: 1 });
    assert!(!credits.contains_key(&mix[2].key), "no score, no credit");
}

#[test]
fn what_fits_a_hole_fills_it_and_what_was_worth_more_comes_first() {
    let mut registry = Registry::default();
    let bodies = ["linear[D -> D](shift(x, 1))", "linear[D -> D](shift(x, 2))"];
    let [one, two] = bodies.map(|body| grown("One", "Mix", body));
    registry.add(&one, Origin::default());
    registry.add(&two, child_of(&one));
    let sketch = "design S { stack = [Shell*] }\nunit Shell(x: Seq[D]) -> Seq[D] { x + Mixer(x) }\n\
                  unit Mixer(x: Seq[D]) -> Seq[D];";
    let sketch = check_text("sketch.gau", sketch).sketch.unwrap();
    let scores = [(&one, 4.0), (&two, 3.0)].map(|(design, score)| (design.hash().to_string(), score));
    let credits = registry.credits(&scores.into());
    let fits = registry.fitting(&sketch, &sketch.holes()[0], &credits);
    let known: Vec<&str> = fits.iter().filter_map(|fit| Some(fit.entry?.text.as_str())).collect();
    assert!(known[0].contains("shift(x, 2)"), "{known:?}");
    assert!(known.last().unwrap().contains("shift(x, 1)"), "{known:?}");
    assert!(fits.iter().all(|fit| fit.filled.checked.design.is_some()), "the sketch had one hole");
    assert!(fits.iter().any(|fit| fit.entry.is_none() && fit.filled.unit == "SwiGlu"), "standard units fit, too");
}

#[test]
fn a_difference_is_by_what_units_compute() {
    let parent = grown("One", "Mix", "linear[D -> D](shift(x, 2))");
    let renamed = grown("Two", "Stir", "linear[D -> D](shift(x, 2))");
    assert!(Diff::of(&[&parent], &renamed).is_empty(), "names are no difference");
    let other = grown("Two", "Mix", "linear[D -> D](shift(x, 3))");
    let diff = Diff::of(&[&parent], &other);
    assert_eq!(
        diff.changed.keys().map(String::as_str).collect::<Vec<_>>(),
        ["B", "Mix"],
        "what calls it changes with it"
    );
    assert!(diff.added.is_empty() && diff.removed.is_empty());
    let new = grown("Two", "Stir", "linear[D -> D](shift(x, 3))");
    let diff = Diff::of(&[&parent], &new);
    assert_eq!((diff.added.len(), diff.changed.len(), diff.removed.len()), (1, 1, 1));
    assert!(diff.removed.contains_key("Mix") && diff.added.contains_key("Stir"));
    assert!(Diff::of(&[&parent, &new], &new).added.is_empty(), "one parent may have it");
    assert_eq!(Diff::of(&[], &parent).added.len(), 2);
}
