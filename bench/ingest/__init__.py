"""Ingress throughput: one process on one core, beside the contract's FastAPI example and a bare aiohttp handler."""
