//! Prices are those of PostgreSQL's own exact arithmetic, for random rates of every kind and quantities around their bounds.

use pg_credit_clients::{Database, Random, Session};

/// Prices by the terms in `r`, computed with `numeric` alone: each band's share of the quantity, rounded half up.
const EXPECTED: &str = "
    SELECT CASE WHEN q.quantity = 0 THEN 0 ELSE GREATEST(COALESCE(r.minimum, 0), round((
        SELECT sum(GREATEST(LEAST(c.counted, COALESCE(b.upto, c.counted)) - b.start, 0) * b.credits)
        FROM (SELECT start, credits, lead(start) OVER (ORDER BY start) AS upto
              FROM (SELECT 0::numeric AS start, r.credits
                    UNION ALL SELECT * FROM unnest(r.tier_from, r.tier_credits)) AS bands (start, credits)) AS b,
             (SELECT CASE WHEN r.block THEN ceil(q.quantity / r.per) * r.per ELSE q.quantity END AS counted) AS c
        ) / r.per, 6)) END";

fn random_rate(random: &mut Random, operation: usize) -> String {
    let credits = |random: &mut Random| format!("{}.{:03}", random.below(20), random.below(1000));
    let tiers = random.below(4);
    let mut bound = 0;
    let mut bounds = Vec::new();
    let mut tier_credits = Vec::new();
    for _ in 0..tiers {
        bound += 1 + random.below(500);
        bounds.push(format!("{bound}.{}", random.below(2) * 5));
        tier_credits.push(credits(random));
    }
    let array = |values: &[String]| if values.is_empty() { "NULL".to_owned() } else { format!("'{{{}}}'", values.join(",")) };
    format!(
        "credit_rate('list', 'operation {operation}', credits => {}, per => {}, block => {}, minimum => {}, tier_from => {}, \
            tier_credits => {})",
        credits(random),
        random.pick(&["1", "3", "10", "1000", "0.7", "1000000"]),
        random.below(3) == 0,
        random.pick(&["NULL", "NULL", "0.5", "12.345678"]),
        array(&bounds),
        array(&tier_credits),
    )
}

#[test]
fn prices_are_those_of_the_servers_own_arithmetic() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_unit('credit', rounding => 'half_up'); SELECT credit_rate_card('list', unit => 'credit')");
    let mut random = Random::new(44);
    for operation in 0..200 {
        client.run(&format!("SELECT {}", random_rate(&mut random, operation)));
    }
    client.run("SELECT credit_publish('list')");
    let compared = client.rows(&format!(
        "WITH priced AS (
             SELECT r.rate, q.quantity, credit_price('list', r.operation, q.quantity) AS price, trim_scale(e.expected) AS expected
             FROM credit.rate r,
                 LATERAL (SELECT quantity FROM (
                     SELECT unnest(ARRAY[0, 0.000000001, 0.5, 1, 9.999999999, 10, 10.000000001, 333, 4808, 123456.789, 999999999])
                     UNION SELECT unnest(r.tier_from) + delta FROM unnest(ARRAY[-0.000000001, 0, 0.000000001, \
                         7]) AS delta) AS q (quantity)) AS q,
                 LATERAL ({EXPECTED}) AS e (expected))
         SELECT count(*) > 3000, count(*) FILTER (WHERE price IS DISTINCT FROM expected),
             min(format('rate %s, quantity %s: %s instead of %s', rate, quantity, price, \
                 expected)) FILTER (WHERE price IS DISTINCT FROM expected)
         FROM priced"
    ));
    assert_eq!(compared, [["t", "0", ""]]);
    // The price of more is never lower, whatever the rate.
    let falling = "SELECT count(*) FROM (
        SELECT price, lag(price) OVER (PARTITION BY operation ORDER BY quantity) AS before
        FROM (SELECT operation, quantity, credit_price('list', operation, quantity) AS price
              FROM credit.rate, generate_series(0, 1500, 37.5) AS quantity) p) p WHERE price < before";
    assert_eq!(client.number(falling), 0);
    database.verify();
}
