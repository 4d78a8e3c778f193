//! Real input: a trace of LLM requests, charged by a card of public list prices (docs/price_list.sql), leaves a ledger whose
//! totals equal a computation from the files in whole numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use pg_credit_clients::{Client, Database, Random, Session};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A model's prices, in thousandths of a dollar for a million tokens.
struct Model {
    name: String,
    /// Input, cached input, output.
    prices: [i128; 3],
}

const OPERATIONS: [&str; 3] = ["input", "cached_input", "output"];

/// The list in docs/price_list.sql, read as text: nothing of what the database made of it is used.
fn models(list: &str) -> Vec<Model> {
    let lines = list.lines().map(str::trim).filter(|line| line.starts_with("('"));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.trim_start_matches('(').trim_end_matches(',').trim_end_matches(')').split(',').collect();
            let prices = [1, 2, 3].map(|index| thousandths(fields[index].trim()));
            Model { name: fields[0].trim_matches('\'').to_owned(), prices }
        })
        .collect()
}

fn thousandths(dollars: &str) -> i128 {
    let (whole, fraction) = dollars.split_once('.').unwrap_or((dollars, ""));
    format!("{whole}{fraction:0<3}").parse().expect("at most three decimals")
}

/// What tokens cost in millionths of a credit: a credit is a cent, the card takes 5/4 of the price, and rounds half to even.
fn millionths(tokens: i128, price: i128) -> i128 {
    // tokens x (price / 1000) dollars / 1,000,000 x 100 cents x 5/4 x 1,000,000 millionths = tokens x price / 8
    let (numerator, denominator) = (tokens * price, 8);
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    quotient + i128::from(2 * rest > denominator || (2 * rest == denominator && quotient % 2 == 1))
}

/// The tokens of a request: a third of the context was read from the cache.
fn quantities(context: i128, generated: i128) -> [i128; 3] {
    [context - context / 3, context / 3, generated]
}

fn requests(trace: &str) -> Vec<(i128, i128)> {
    let number = |text: &str| text.trim().parse::<i128>().expect("a number of tokens");
    let request = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (number(fields[1]), number(fields[2]))
    };
    trace.lines().skip(1).filter(|line| !line.trim().is_empty()).map(request).collect()
}

/// Charges each request as one posting of up to three lines, the models in turn.
fn charge(session: &mut Client, models: &[Model], requests: &[(i128, i128)]) {
    let numbered: Vec<_> = requests.iter().enumerate().collect();
    for chunk in numbered.chunks(500) {
        let rows = chunk.iter().map(|(number, (context, generated))| {
            let [input, cached, output] = quantities(*context, *generated);
            format!("({number}, ARRAY[{input},{cached},{output}]::numeric[], '{}')", models[number % models.len()].name)
        });
        session.run(&format!(
            "SELECT credit_charge_request('acme', ARRAY['{}'], quantities, dimensions => jsonb_build_object('model', model))
             FROM (VALUES {}) AS request (number, quantities, model) ORDER BY number",
            OPERATIONS.join("','"),
            rows.collect::<Vec<_>>().join(",")
        ));
    }
}

type Totals = BTreeMap<(String, String), (i128, i128)>;

/// Tokens, and millionths of a credit, by operation and model.
fn expected(models: &[Model], requests: &[(i128, i128)]) -> Totals {
    let mut totals = Totals::new();
    for (number, (context, generated)) in requests.iter().enumerate() {
        let model = &models[number % models.len()];
        for ((operation, quantity), price) in OPERATIONS.iter().zip(quantities(*context, *generated)).zip(model.prices) {
            if quantity > 0 {
                let total = totals.entry(((*operation).to_owned(), model.name.clone())).or_default();
                total.0 += quantity;
                total.1 += millionths(quantity, price);
            }
        }
    }
    totals
}

fn found(session: &mut Client) -> Totals {
    let rows = session.rows(
        "SELECT operation, dimensions ->> 'model', trim_scale(sum(quantity)), trim_scale(sum(-amount) * 1000000)
         FROM credit.entry WHERE account = 'acme' AND kind = 'debit' AND rate IS NOT NULL GROUP BY 1, 2",
    );
    let number = |text: &String| text.parse().unwrap_or_else(|_| panic!("{text} is no whole number"));
    rows.iter().map(|row| ((row[0].clone(), row[1].clone()), (number(&row[2]), number(&row[3])))).collect()
}

fn assert_ledger_equals(requests: &[(i128, i128)]) {
    let list = fs::read_to_string(format!("{REPOSITORY}/docs/price_list.sql")).expect("the price list");
    let models = models(&list);
    assert_eq!(models.len(), 12, "the models of the list");
    let database = Database::new();
    let mut session = database.connect();
    session.run(&list);
    session.run("SELECT credit_account('acme', unit => 'cent', rate_card => 'llm'); SET synchronous_commit = off");
    // Several lots, so that some requests are paid by two of them.
    for _ in 0..7 {
        session.run("SELECT credit_grant('acme', 500.5)");
    }
    session.run("SELECT credit_grant('acme', 1000000)");
    charge(&mut session, &models, requests);
    let (expected, found) = (expected(&models, requests), found(&mut session));
    assert_eq!(found, expected, "tokens and millionths of a credit by operation and model");
    let total: i128 = expected.values().map(|total| total.1).sum();
    let balance = session.text("SELECT trim_scale((1003503.5 - credit_balance('acme')) * 1000000)");
    assert_eq!(balance, total.to_string(), "millionths of a credit in total");
    // The margin by account sees the same quantities, at the costs of the list.
    let cost: i128 = expected
        .iter()
        .map(|((operation, model), (tokens, _))| {
            let model = models.iter().find(|listed| listed.name == *model).expect("a model of the list");
            let index = OPERATIONS.iter().position(|name| name == operation).expect("an operation");
            tokens * model.prices[index]
        })
        .sum();
    let margin = "SELECT trim_scale(sum(cost) * 1000000000) FROM credit.margin_by_account WHERE account = 'acme'";
    assert_eq!(session.text(margin), cost.to_string(), "billionths of a dollar that the provider charges");
    database.verify();
}

#[test]
fn a_small_trace_of_our_own_is_charged_exactly() {
    let mut random = Random::new(2026);
    let request = |number: u64, random: &mut Random| match number % 40 {
        7 => (0, 0),
        8 => (0, i128::from(random.below(100))),
        9 => (1, 1),
        _ => (i128::from(random.below(8_000)), i128::from(random.below(2_000))),
    };
    // A request of nothing charges nothing; the function returns NULL for it.
    let requests: Vec<_> = (0..240).map(|number| request(number, &mut random)).collect();
    assert_ledger_equals(&requests);
}

#[test]
fn a_real_trace_is_charged_exactly() {
    let file = PathBuf::from(format!("{REPOSITORY}/../shared/data/azure_llm_code_2023.csv"));
    if !file.exists() {
        eprintln!("skipped: {} is not there", file.display());
        return;
    }
    assert_ledger_equals(&requests(&fs::read_to_string(file).expect("reading the trace")));
}
