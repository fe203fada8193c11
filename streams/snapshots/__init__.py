"""Snapshots of operator state, so that nobody needs to read the whole past again. Pure.

The log stays the truth: a snapshot is a shortcut into a replay, checked before it is believed, and dropped for the
replay whenever anything about it is odd. It is incremental: a *part* holds what changed since the part before, and old
parts are let go once all they hold has been evicted. The *rest* is what is small and changes all the time.
"""
