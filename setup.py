"""The build: metadata stands in pyproject.toml; only the plugin's place needs code.

``twisted/plugins`` is no package of ours (it has no ``__init__.py``): it is listed here so
that ``twistd`` finds ``hubmirror_plugin.py`` after an ordinary ``pip install``.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["hubmirror", "hubmirror.*"]), "twisted.plugins"])
