"""The whole pipeline on one machine: what `sori up` and `sori demo` run."""
