-- A rate card made of public list prices: a dozen models for text, by the token. 1 credit is a cent; the card adds a quarter to
-- the provider's price, which it keeps as the cost.
--
-- The prices are US dollars for a million tokens of input, of input read from the provider's cache, and of output, for standard
-- (not batch) requests, as read in November 2026 from these pages. They are data for examples and tests: check the providers' own
-- pages before charging anybody by them.
--   OpenAI      GPT-5.x: the official price page as quoted by morphllm.com/openai-api-pricing, June 2026.
--               GPT-4.1, GPT-4o mini: platform.openai.com/docs/pricing as quoted by openai_responses 0.4.1 (hex.pm), 3 June 2025.
--   Anthropic   platform.claude.com/docs/en/about-claude/pricing and /docs/models/sonnet-5/overview, autumn 2026.
--   Google      ai.google.dev/gemini-api/docs/pricing as quoted by deploybase.ai/articles/gemini-api-pricing, March 2026; prompts up
--               to 200,000 tokens; reading from the cache at a tenth of the input price.

SELECT credit_unit('cent', decimals => 6, currency => 'USD', fiat_per_credit => 0.01);
SELECT credit_rate_card('llm', unit => 'cent', notice => interval '30 days', note => 'list prices and a quarter');

SELECT credit_rate('llm', p.operation, credits => p.dollars * 125, per => 1000000, unit_cost => p.dollars / 1000000,
    dimensions => jsonb_build_object('model', p.model))
FROM (VALUES
    ('gpt-5.5',               5.00, 0.50,  30.00),
    ('gpt-5.4',               2.50, 0.25,  15.00),
    ('gpt-5.4-mini',          0.75, 0.075,  4.50),
    ('gpt-5.4-nano',          0.20, 0.02,   1.25),
    ('gpt-4.1',               2.00, 0.50,   8.00),
    ('gpt-4o-mini',           0.15, 0.075,  0.60),
    ('claude-opus-5',         5.00, 0.50,  25.00),
    ('claude-sonnet-5',       2.00, 0.20,  10.00),
    ('claude-haiku-4.5',      1.00, 0.10,   5.00),
    ('gemini-2.5-pro',        1.25, 0.125, 10.00),
    ('gemini-2.5-flash',      0.30, 0.03,   2.50),
    ('gemini-2.5-flash-lite', 0.10, 0.01,   0.40)
) AS list (model, input, cached_input, output),
LATERAL (VALUES (model, 'input', input), (model, 'cached_input', cached_input), (model, 'output', output)) AS p (model, operation, dollars);

SELECT credit_publish('llm');
