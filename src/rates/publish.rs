//! Publishing: what is prepared for a card becomes versions, in one step, and nothing gets worse for customers without notice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::exact::Fraction;
use crate::domain::rates::dimensions::{self, Dimensions};
use crate::domain::rates::rate::Rate;
use crate::error::{self, Result};
use crate::rates::versions::{self, Versions};
use crate::server::clock;
use crate::store::rates::{self, Draft, Version, rate_cards};

/// How a card's drafts are published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    pub card: &'a str,
    /// When drafts take effect that do not say it themselves; now, unless given.
    pub effective_at: Option<DateTime<Utc>>,
    /// Why something may get worse sooner than the notice allows.
    pub override_reason: Option<&'a str>,
    /// Whether changes that are announced already give way.
    pub supersede: bool,
}

/// The change that a draft makes.
#[derive(Clone, Debug)]
pub struct Change {
    pub draft: Draft,
    pub effective_at: DateTime<Utc>,
    /// The rate by which the same usage is charged until then; `None` where there is none.
    pub before: Option<Rate>,
    /// The rate by which the usage is charged from then on; `None` where it is withdrawn.
    pub after: Option<Rate>,
    /// Some quantity costs more than it would have within the notice, or than before.
    pub worse: bool,
    /// The same, before the notice is over.
    pub too_soon: bool,
}

impl Change {
    /// By how much the first unit gets dearer, in percent; `None` where there was no rate, or it was free.
    pub fn percent(&self) -> Option<Fraction> {
        let (before, after) = (self.before.as_ref()?.per_unit(), self.after.as_ref()?.per_unit());
        Some(after.over(&before)?.minus(&Fraction::whole(1)).times(&Fraction::whole(100)))
    }
}

/// The versions of one operation before and after; a draft's version stands under the draft's id.
struct Plan {
    before: Versions,
    after: Versions,
    /// When the first draft takes effect: until then nothing changes.
    since: DateTime<Utc>,
}

/// Publishes all drafts of a card; how many.
///
/// # Errors
/// P0002 unknown card; 22023 two rates that would be equally specific; 55000 a change that rewrites the past, collides with one
/// that is announced, or gets worse without notice.
pub fn publish(publication: Publication<'_>) -> Result<i32> {
    let card = publication.card;
    let asked_at = clock::now();
    rate_cards::lock(card, asked_at).ok_or_else(|| error::unknown_card(card))?;
    // The wait may have been long: what was published meanwhile counts, and so does the time.
    let now = clock::now();
    let locked = rate_cards::read_now(card, now).expect("a locked card");
    let notice_until = locked.notice_until;
    let drafts = of_now(rates::drafts(card), now);
    let default_at = clock::of_now(publication.effective_at.unwrap_or(now), now);
    let plans = plan(publication, &drafts, default_at, now, versions::read)?;
    let changes = changes(&drafts, &plans, default_at, notice_until);
    let is_used = locked.is_promised || rate_cards::is_used(card);
    if let Some(change) = changes.iter().find(|change| change.too_soon && is_used && publication.override_reason.is_none()) {
        return Err(error::notice_not_kept(card, &change.draft.operation, change.effective_at, notice_until));
    }
    for plan in plans.values() {
        apply_ends(plan);
    }
    for change in &changes {
        let reason = publication.override_reason.filter(|_| change.too_soon && is_used);
        rates::publish(card, change.draft.rate, change.effective_at, now, reason);
    }
    if !changes.is_empty() {
        rate_cards::mark_published(card, now);
    }
    Ok(changes.len() as i32)
}

/// The changes that publishing the drafts would make, as the calling query sees it, and until when notice has to be given.
///
/// # Errors
/// As [`publish`], but for the notice.
pub fn preview(publication: Publication<'_>) -> Result<(Vec<Change>, DateTime<Utc>)> {
    let now = clock::now();
    let card = rate_cards::read(publication.card, now).ok_or_else(|| error::unknown_card(publication.card))?;
    let drafts = of_now(rates::drafts_for_reader(publication.card), now);
    let default_at = clock::of_now(publication.effective_at.unwrap_or(now), now);
    let plans = plan(publication, &drafts, default_at, now, versions::read_for_reader)?;
    Ok((changes(&drafts, &plans, default_at, card.notice_until), card.notice_until))
}

/// Drafts that shall take effect at SQL's `now()` do so now.
fn of_now(mut drafts: Vec<Draft>, now: DateTime<Utc>) -> Vec<Draft> {
    for at in drafts.iter_mut().filter_map(|draft| draft.effective_at.as_mut()) {
        *at = clock::of_now(*at, now);
    }
    drafts
}

/// The versions that each operation comes to have.
fn plan(
    publication: Publication<'_>,
    drafts: &[Draft],
    default_at: DateTime<Utc>,
    now: DateTime<Utc>,
    versions: fn(&str, &str) -> Versions,
) -> Result<BTreeMap<String, Plan>> {
    let mut plans = BTreeMap::new();
    for draft in drafts {
        let at = draft.effective_at.unwrap_or(default_at);
        let plan = plans.entry(draft.operation.clone()).or_insert_with(|| {
            let before = versions(publication.card, &draft.operation);
            Plan { after: before.clone(), before, since: at }
        });
        plan.add(publication, draft, at, now)?;
    }
    for (operation, plan) in &plans {
        plan.check_ties(publication.card, operation)?;
    }
    Ok(plans)
}

impl Plan {
    /// Ends the version that the draft follows, and begins the draft's.
    fn add(&mut self, publication: Publication<'_>, draft: &Draft, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
        let (card, operation) = (publication.card, draft.operation.as_str());
        if at < now && self.before.last_end().is_some_and(|last| last.is_none_or(|ended_at| ended_at > at)) {
            return Err(error::rewrites_history(card, operation, at, now));
        }
        self.since = self.since.min(at);
        for version in self.after.of(&draft.dimensions) {
            if version.effective_at >= at {
                if !publication.supersede {
                    return Err(error::already_announced(card, operation, version.effective_at));
                }
                // It never comes into force; its row stays.
                version.ended_at = Some(version.effective_at);
            } else if version.ended_at.is_none_or(|ended_at| ended_at > at) {
                version.ended_at = Some(at);
            }
        }
        match &draft.terms {
            Some(terms) => self.after.add(Version {
                rate: draft.rate,
                dimensions: draft.dimensions.clone(),
                effective_at: at,
                ended_at: None,
                terms: terms.clone(),
            }),
            None if self.before.applying(&draft.dimensions, at).is_none_or(|version| version.dimensions != draft.dimensions) => {
                return Err(error::nothing_to_withdraw(card, operation));
            }
            None => {}
        }
        Ok(())
    }

    /// No usage may have two rates that are equally specific, at any instant from which on something changes: a tie may also
    /// appear when the rate ends that decided.
    fn check_ties(&self, card: &str, operation: &str) -> Result<()> {
        for at in self.instants(self.since, None) {
            let in_force: Vec<_> =
                self.after.iter().filter(|version| version.is_in_force(at)).map(|version| &version.dimensions).collect();
            if let Some((one, other)) = dimensions::tie(&in_force) {
                return Err(error::rates_tie(card, operation, &one.to_json(), &other.to_json()));
            }
        }
        Ok(())
    }

    /// The first instant, and those up to `until` at which something begins or ends, before or after.
    fn instants(&self, from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> BTreeSet<DateTime<Utc>> {
        let bounds =
            self.before.iter().chain(self.after.iter()).flat_map(|version| [Some(version.effective_at), version.ended_at]);
        let in_time = |at: &DateTime<Utc>| *at >= from && until.is_none_or(|until| *at < until);
        bounds.flatten().chain([from]).filter(in_time).collect()
    }

    /// Whether some usage that has these dimensions costs more somewhere in `[from, until)` than it would have.
    ///
    /// Usage with further dimensions may have been priced by another rate, which this one now outdoes. It suffices to try the
    /// usage that has just the dimensions of both: the most specific rate for it is the one for all usage that both decide.
    fn gets_worse(&self, dimensions: &Dimensions, from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> bool {
        // Versions only end, so what was before is there afterwards, too.
        let others = self.after.iter().map(|version| &version.dimensions);
        let usages: BTreeSet<_> = others
            .filter(|other| other.meet(dimensions))
            .map(|other| other.union(dimensions))
            .chain([dimensions.clone()])
            .collect();
        let instants = self.instants(from, until);
        usages.iter().any(|usage| instants.iter().any(|at| self.costs_more(usage, *at)))
    }

    fn costs_more(&self, usage: &Dimensions, at: DateTime<Utc>) -> bool {
        match (self.before.applying(usage, at), self.after.applying(usage, at)) {
            (Some(before), Some(after)) => {
                // A rate with other dimensions counts its periods by itself, from nothing.
                let counts_on = before.dimensions == after.dimensions;
                before.rate != after.rate && after.terms.is_worse_than(&before.terms, counts_on)
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

fn changes(
    drafts: &[Draft],
    plans: &BTreeMap<String, Plan>,
    default_at: DateTime<Utc>,
    notice_until: DateTime<Utc>,
) -> Vec<Change> {
    let change = |draft: &Draft| {
        let plan = &plans[&draft.operation];
        let effective_at = draft.effective_at.unwrap_or(default_at);
        let worse = plan.gets_worse(&draft.dimensions, effective_at, None);
        Change {
            draft: draft.clone(),
            effective_at,
            before: plan.before.applying(&draft.dimensions, effective_at).map(|version| version.terms.clone()),
            after: plan.after.applying(&draft.dimensions, effective_at).map(|version| version.terms.clone()),
            worse,
            too_soon: worse
                && effective_at < notice_until
                && plan.gets_worse(&draft.dimensions, effective_at, Some(notice_until)),
        }
    };
    drafts.iter().map(change).collect()
}

/// Writes the ends that the plan sets: those of versions that were there before.
fn apply_ends(plan: &Plan) {
    for (before, after) in plan.before.iter().zip(plan.after.iter()) {
        if let Some(ended_at) = after.ended_at.filter(|_| after.ended_at != before.ended_at) {
            rates::end(before.rate, ended_at);
        }
    }
}
