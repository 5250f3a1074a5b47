"""The options of ``twistd hubmirror``, ``hubmirror serve`` and ``hubmirror check``.

They are made from the table of settings, and load the configuration as soon as they are parsed.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from hubmirror.activation import ActivationError, listens_at
from hubmirror.config import CONFIG_FILE, SETTINGS, ConfigError, Loaded, Setting, load

__all__ = ["Options", "version"]

#: Exit status of a command line or a configuration that can't be used.
BAD_USAGE = 2


class Options(TwistedOptions):
    """Flags, and the configuration that they, the variables and the file make.

    Where systemd hands sockets over, these count before a flag that would name others.
    ``parseOptions`` sets ``loaded``, and ``arguments``, which are what it parsed in ``folder``.
    Where anything is wrong it says all of it on stderr and raises ``SystemExit(2)``.
    """

    loaded: Loaded
    longdesc = (
        "Each option is also a key of the configuration file and an environment variable:"
        " --public-url is public_url and HUBMIRROR_PUBLIC_URL. A flag counts before a variable,"
        " a variable before the file. Lists may be written with commas. Tables, such as"
        " [networks], are for the file alone."
    )

    def __init__(
        self, command: str | None = None, *, environ: Mapping[str, str] | None = None
    ) -> None:
        """``command`` is what the user typed for these options, None for ``twistd hubmirror``."""
        super().__init__()
        if command is not None:
            self.synopsis = f"Usage: {command} [options]"
        self._environ = dict(os.environ if environ is None else environ)
        self.folder = Path.cwd()
        self.arguments: tuple[str, ...] = ()
        self._flags: dict[str, object] = {}
        self._lists: defaultdict[str, list[str]] = defaultdict(list)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse ``options``, ``sys.argv`` unless given, and load the configuration."""
        self.arguments = tuple(sys.argv[1:] if options is None else options)
        arguments, unknown = _cut_unknown(
            self.arguments,
            [name.rstrip("=") for name in self.longOpt],
        )
        self._flags.update(unknown)
        try:
            super().parseOptions(arguments)
        except UsageError as error:
            _exit_with([str(error)])

    def parseArgs(self, *arguments: str) -> None:
        """Nothing but options is taken."""
        if arguments:
            raise UsageError(f"unexpected argument {arguments[0]!r}; there are options only")

    def postOptions(self) -> None:
        """Load the configuration; ``SystemExit(2)`` after a word on each problem."""
        try:
            self._flags.update(listens_at(self._environ, os.getpid()))
            self.loaded = self.reload()
        except ActivationError as error:
            _exit_with([str(error)])
        except ConfigError as error:
            _exit_with([str(problem) for problem in error.problems])

    def reload(self) -> Loaded:
        """The configuration as it is now, by the same flags and variables.

        ``loaded`` stays as it is. Raises ``ConfigError``.
        """
        return load(self._flags, self._environ, folder=self.folder)

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"hubmirror {version()}")
        sys.exit(0)


def version() -> str:
    """The installed version, or that there is none."""
    try:
        return metadata.version("hubmirror")
    except metadata.PackageNotFoundError:
        return "not installed"


def _flag_method(setting: Setting) -> Callable[[Options, str], None]:
    """The method by which Twisted's parser knows a flag, its name and its help."""

    def take(options: Options, value: str) -> None:
        if setting.is_repeatable:
            options._lists[setting.name].append(value)
            options._flags[setting.name] = options._lists[setting.name]
        else:
            options._flags[setting.name] = value

    default = setting.default
    written = ",".join(default) if isinstance(default, list) else str(default)
    take.__doc__ = f"{setting.help} [default: {written}]" if written else setting.help
    return take


for _setting in (CONFIG_FILE, *(one for one in SETTINGS if not one.is_table)):
    setattr(Options, f"opt_{_setting.name}", _flag_method(_setting))


def _cut_unknown(
    arguments: Sequence[str], known: Sequence[str]
) -> tuple[list[str], dict[str, object]]:
    """The arguments that are known, or are no flags, and the unknown flags by name.

    Twisted's parser would stop at the first unknown one; this way it is told with all else.
    """
    kept: list[str] = []
    unknown: dict[str, object] = {}
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        name, equals, _ = argument[2:].partition("=")
        if not argument.startswith("--") or any(one.startswith(name) for one in known):
            kept.append(argument)
            continue
        unknown[name.replace("-", "_")] = ""
        if not equals and pending and not pending[0].startswith("-"):
            del pending[0]
    return kept, unknown


def _exit_with(lines: Sequence[str]) -> NoReturn:
    for line in lines:
        print(f"hubmirror: {line}", file=sys.stderr)
    raise SystemExit(BAD_USAGE)
