"""Alerts of several rules about one thing become one incident, in a step of `sori notify`.

Why here: alerts of one account lie in all partitions of their topic, and this is the one process that reads them all,
so each account has one owner without a further hop; and what it makes is told to people next.
"""
