//! What the calls of a run cost: by the prices that it began with, and else by those of a table.
//!
//! In: who answers, the prices that are known, how an earlier part of the run counted. Out: prices for the ledger, in which who answers here
//! is free; and those that the run itself counts by, where nothing is said of one who takes no money.

use std::collections::BTreeMap;

use genesys_evolve::Agents;
use genesys_llm::ensemble::Member;
use genesys_llm::price::Price;
use genesys_llm::{Money, Prices};

use crate::failure::Failure;
use crate::targets::called_together;

/// Who answers, with prices.
pub(crate) struct Priced {
    /// For the ledger.
    pub(crate) prices: Prices,
    /// What the run says of who answers.
    pub(crate) agents: Agents,
}

impl Priced {
    /// The prices of members of whom some are `free`. A run that `began` counts as it did; replayed, by a single member, it had perhaps
    /// several.
    pub(crate) fn of(table: Prices, members: &[Member], free: &[bool], began: Option<&Agents>) -> Self {
        let model = called_together(members);
        let known = as_it_began(table, began);
        let unpriced =
            members.iter().zip(free).filter(|(member, is_free)| **is_free && known.of(&member.model).is_err());
        let prices = unpriced.fold(known.clone(), |prices, (member, _)| prices.with_free(&member.model));
        let names: Vec<String> = match began {
            Some(agents) if agents.model == model => agents.members.keys().cloned().collect(),
            _ => members.iter().map(|member| member.model.clone()).collect(),
        };
        if names.len() < 2 {
            return Self { prices, agents: Agents::new(&model, known.of(&model).ok().cloned()) };
        }
        let each: BTreeMap<String, Option<Price>> =
            names.iter().map(|name| (name.clone(), prices.of(name).ok().cloned())).collect();
        let prices = prices.with_joint(&model, &names);
        let price = prices.of(&model).ok().cloned();
        Self { prices, agents: Agents { members: each, ..Agents::new(&model, price) } }
    }

    /// Refuses a cap on money where it is not known what something costs.
    pub(crate) fn held_to(self, budget: Option<Money>) -> Result<Self, Failure> {
        let model = &self.agents.model;
        let (Some(budget), Err(_)) = (budget, self.prices.of(model)) else { return Ok(self) };
        let unknown = self.agents.members.keys().find(|name| self.prices.of(name).is_err()).unwrap_or(model);
        Err(Failure::Input(format!(
            "--budget {budget}: what {} costs is not known, so no cap on money holds: name a table with its price \
             (--prices FILE), or cap tokens (--tokens N)",
            called(unknown)
        )))
    }
}

/// A model as it is told of: a server that has but one need not be asked by its name.
pub(crate) fn called(model: &str) -> String {
    if model.is_empty() { "the only model of a server".to_owned() } else { format!("the model `{model}`") }
}

/// Prices of a table, and those that a run began with.
fn as_it_began(table: Prices, began: Option<&Agents>) -> Prices {
    let alone = began.map(|agents| (&agents.model, &agents.price));
    let each = began.into_iter().flat_map(|agents| &agents.members).chain(alone);
    each.fold(table, |prices, (name, price)| match price {
        Some(price) => prices.with(name, price.clone()),
        None => prices,
    })
}

#[cfg(test)]
mod tests {
    use genesys_llm::folder::Folder;
    use genesys_llm::throttle::Wall;

    use super::*;

    fn member(model: &str) -> Member {
        let folder = Folder::new(&std::env::temp_dir(), None, Box::new(Wall::default())).expect("it is a folder");
        Member { weight: 1.0, model: model.to_owned(), transport: Box::new(folder) }
    }

    fn table(a: u64) -> Prices {
        let text = format!("model\tinput\tcached\toutput\tdate\tsource\na\t{a}\t1\t4\t2026-01-01\thttps://a\n");
        Prices::parse("p.tsv", &text).expect("it is a table")
    }

    fn dollars(price: &Option<Price>) -> Option<u64> {
        price.as_ref().map(|price| price.input.0 / 1_000_000)
    }

    #[test]
    fn who_takes_no_money_is_free_in_the_ledger_and_the_run_says_nothing_of_it() {
        let alone = Priced::of(table(2), &[member("Ada")], &[true], None);
        assert_eq!((alone.agents.price.is_none(), alone.prices.of("Ada").is_ok()), (true, true));
        let server = Priced::of(table(2), &[member("x")], &[false], None);
        let told = server.held_to(Some(Money(1))).err().and_then(|failure| failure.message()).unwrap_or_default();
        assert!(told.contains("what the model `x` costs"), "{told}");
    }

    #[test]
    fn several_count_each_by_its_own_price_and_as_they_began() {
        let members = [member("a"), member("Ada")];
        let began = Priced::of(table(2), &members, &[false, true], None).agents;
        assert_eq!((began.model.as_str(), dollars(&began.price)), ("a + Ada", Some(2)));
        assert_eq!(began.members.values().map(dollars).collect::<Vec<_>>(), [Some(0), Some(2)], "`Ada` and `a`");
        // Prices have doubled since; the run goes on, and is made again from its recording.
        for (members, free) in [(&members[..], &[false, true][..]), (&[member("a + Ada")], &[true])] {
            let later = Priced::of(table(4), members, free, Some(&began));
            assert_eq!(later.agents, began);
            assert_eq!(later.prices.of("a").ok().cloned(), began.members["a"]);
        }
        let unknown = Priced::of(table(2), &[member("a"), member("x")], &[false, false], None);
        let told = unknown.held_to(Some(Money(1))).err().and_then(|failure| failure.message()).unwrap_or_default();
        assert!(told.contains("what the model `x` costs"), "{told}");
    }
}
