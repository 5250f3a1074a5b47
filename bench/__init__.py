"""The benchmark: hubmirror beside its peers, in the same run. ``python -m bench --help``."""
