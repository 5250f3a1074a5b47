"""Who logs in here: users by their passwords, robots by their tokens, and both by passes."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from attrs import field, frozen
from zope.interface import implementer

from hubmirror.access.files import WatchedFile
from hubmirror.access.identities import NOBODY, Identity, IIdentities
from hubmirror.access.names import Names
from hubmirror.access.passes import Pass, Passes, UnknownKey
from hubmirror.access.passwords import Passwords
from hubmirror.access.patterns import Patterns
from hubmirror.access.refusals import to_log_in, wrong_login
from hubmirror.access.robots import PREFIX, Robot, Robots
from hubmirror.access.users import Users
from hubmirror.errors import RegistryError
from hubmirror.question import Client, Question, TokenRequest

__all__ = ["Login", "Logins", "login_of", "parameter"]


@frozen
class Login:
    """What somebody shows who logs in."""

    user: str
    password: bytes = field(repr=False)


@implementer(IIdentities)
@frozen(eq=False)
class Logins:
    """What a client sends as its credential is for this mirror, and never goes upstream.

    ``passwords`` is None where they are looked at in another process: ``elsewhere`` is raised
    then, for what that one may know. ``now`` is in seconds since the epoch.
    """

    _users: WatchedFile[Users]
    _robots: WatchedFile[Robots]
    _passes: Passes
    _names: Names
    _now: Callable[[], float]
    _passwords: Passwords | None = None
    _elsewhere: Callable[[], Exception] | None = None

    def known(self, question: Question) -> Identity | RegistryError | None:
        """See ``IIdentities``."""
        credential = question.credential or ""
        scheme, _, rest = credential.partition(" ")
        if scheme.lower() == "bearer" and not isinstance(question.subject, TokenRequest):
            return self._by_pass(question, rest.strip())
        login = login_of(question)
        if login is not None:
            return self._known_login(question.client, login)
        if credential:
            return wrong_login(is_shown=True)
        return self.by_certificate(question.client)

    async def find(self, question: Question) -> Identity:
        """See ``IIdentities``."""
        found = self.known(question)
        login = login_of(question)
        if found is None and login is not None:
            return await self.check(question.client, login)
        if isinstance(found, RegistryError):
            raise found
        return found or NOBODY

    def by_certificate(self, client: Client) -> Identity:
        """Who asks without a credential."""
        return NOBODY if client.user is None else Identity(client.user)

    async def check(self, client: Client, login: Login) -> Identity:
        """Who it is that shows ``login``. Raises ``Unauthorized``, or where it is not looked at."""
        known = self._known_login(client, login)
        if isinstance(known, Identity):
            return known
        if isinstance(known, RegistryError):
            raise known
        if self._passwords is None or not await self._passwords.check(
            client.address, login.user, login.password
        ):
            raise wrong_login(is_shown=True)
        return Identity(login.user)

    def end_of(self, identity: Identity) -> float | None:
        """When its rights end at the latest, in seconds since the epoch, where that is known."""
        robot = self._robots.value.find(identity.user or "")
        return None if robot is None else robot.expires

    def _known_login(self, client: Client, login: Login) -> Identity | RegistryError | None:
        if login.user.startswith(PREFIX):
            robot = self._robot_of(login)
            if robot is None:
                self._robots.look()  # one that was made a moment ago is not to fail
                robot = self._robot_of(login)
            if robot is not None:
                return _of_robot(robot)
        if self._passwords is None:
            self._leave()
            return wrong_login(is_shown=True)
        if self._passwords.is_known(login.user, login.password):
            return Identity(login.user)
        if self._passwords.is_known_wrong(login.user, login.password):
            return wrong_login(is_shown=True)
        return self._passwords.objection(client.address)

    def _by_pass(self, question: Question, token: str) -> Identity | RegistryError:
        try:
            shown = self._passes.read(token, self._now())
        except UnknownKey:
            self._leave()
            shown = None
        identity = None if shown is None else self._of_pass(shown, question.client)
        if identity is None:
            return to_log_in(self._names.scope(question), error="invalid_token")
        return identity

    def _of_pass(self, shown: Pass, client: Client) -> Identity | None:
        """Who shows it: a user who is one still, a robot that is alive."""
        if not shown.user:
            return Identity(None, shown.names)
        if shown.by_certificate:
            return Identity(shown.user, shown.names) if shown.user == client.user else None
        found = self._holder(shown)
        if found is None:  # it may be known to the process that gave the pass, a moment ago
            self._users.look()
            self._robots.look()
            found = self._holder(shown)
        return found

    def _holder(self, shown: Pass) -> Identity | None:
        if shown.user.startswith(PREFIX):
            robot = self._alive(shown.user)
            return None if robot is None else _of_robot(robot, shown.names)
        return Identity(shown.user, shown.names) if shown.user in self._users.value.hashes else None

    def _robot_of(self, login: Login) -> Robot | None:
        robot = self._alive(login.user)
        return robot if robot is not None and robot.has_token(login.password) else None

    def _alive(self, user: str) -> Robot | None:
        robot = self._robots.value.find(user)
        return robot if robot is not None and robot.is_alive(self._now()) else None

    def _leave(self) -> None:
        if self._elsewhere is not None:
            raise self._elsewhere()


def login_of(question: Question) -> Login | None:
    """What is shown by ``Basic`` credentials (RFC 7617), or in the form by which a token is asked

    for (RFC 6749, section 4.3.2).
    """
    if question.credential is not None:
        return _basic(question.credential)
    request = question.subject
    if not isinstance(request, TokenRequest) or not request.is_form:
        return None
    user, password = parameter(request, "username"), parameter(request, "password")
    if not user or password is None:
        return None
    return Login(user, password.encode("utf-8", "surrogatepass"))


def parameter(request: TokenRequest, name: str) -> str | None:
    """The value of what occurs once."""
    values = [value for key, value in request.parameters if key == name]
    return values[0] if len(values) == 1 else None


def _basic(authorization: str) -> Login | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return Login(user.decode(), password) if colon and user else None
    except ValueError:  # UnicodeDecodeError and binascii.Error are that
        return None


def _of_robot(robot: Robot, names: frozenset[str] | None = None) -> Identity:
    return Identity(robot.user, names, Patterns(robot.repositories))
