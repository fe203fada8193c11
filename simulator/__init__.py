"""The other half of the contract: a SORI server that signs, retries and drops, with labelled traffic."""
