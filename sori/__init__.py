"""The shared language of the pipeline: events, identity, signature, topics, settings, errors, metrics. No I/O."""
