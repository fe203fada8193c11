-- Level 1 stores the raw body as small as level 3 did (bodies are long and alike) for less time per insert:
-- measured by `python -m bench.schema`, see docs/schema.md. Parts that are there are rewritten by later merges.
ALTER TABLE events MODIFY COLUMN raw String CODEC(ZSTD(1));
