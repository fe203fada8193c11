"""Traffic as it is met in the field: fat tails, faults, odd but honest habits, and fraud from obvious to hidden.

Written from public material by somebody who had read none of the fraud rules, and kept so: what is drawn here must not
follow from what a rule asks for. Each distribution names its source where it is defined; what has none says so.
"""
