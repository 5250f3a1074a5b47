"""The configuration: one table of settings; flags over variables over a file over defaults."""

from hubmirror.config.load import Loaded, load
from hubmirror.config.model import Config, ListenAddress, Share, Upstream
from hubmirror.config.nearest import nearest
from hubmirror.config.problems import ConfigError, Problem
from hubmirror.config.settings import CONFIG_FILE, SETTINGS, Setting

__all__ = [
    "CONFIG_FILE",
    "SETTINGS",
    "Config",
    "ConfigError",
    "ListenAddress",
    "Loaded",
    "Problem",
    "Setting",
    "Share",
    "Upstream",
    "load",
    "nearest",
]
