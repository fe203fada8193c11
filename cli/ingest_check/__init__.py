"""`sori ingest check`: what an ingress answers to the common ways of signing and sending."""
