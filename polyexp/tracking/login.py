"""The logins of stores: where MLflow and requests find them, and that of an address, which is sent to its server alone.

MLflow would put a user and a password that an address holds into the texts of its errors. Therefore it is given the address
without them, and asks here for the login, as its plugins for logins do it.
"""

import base64
import os
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from polyexp.base import InputError
from polyexp.tracking.address import dialect, is_server, without_credentials

__all__ = ["PROVIDER", "authorization", "is_set", "is_signed", "registered", "shared_login"]

PROVIDER = "polyexp"  # the value of MLFLOW_TRACKING_AUTH
USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
CREDENTIALS, NETRC, PGPASS = "~/.mlflow/credentials", "the default of ~/.netrc", "~/.pgpass"
# With these, MLflow signs its requests in ways that only MLflow knows.
SIGNED = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
# The variables whose logins go to any store of a kind.
OF_SERVERS = (USERNAME, PASSWORD, TOKEN, *SIGNED)
SHARED = {"http": OF_SERVERS, "https": OF_SERVERS, "postgresql": ("PGPASSWORD",), "mysql": ("MYSQL_PWD",)}


class Logins:
    """MLflow's provider of logins (`mlflow.tracking.request_auth`): each server is sent its own alone."""

    of: ClassVar[dict[tuple[str, str], tuple[str, str]]] = {}  # user and password, by scheme and host with port

    def get_name(self) -> str:
        """The value of MLFLOW_TRACKING_AUTH that chooses this provider."""
        return PROVIDER

    def get_auth(self) -> "Logins":
        """What `requests` calls with each request."""
        return self

    def __call__(self, request: Any) -> Any:
        """The request, a `requests.PreparedRequest`, with the login of its server, if there is one."""
        if login := self.of.get(_server(request.url)):
            encoded = base64.b64encode(":".join(login).encode()).decode()  # of UTF-8, as MLflow does
            request.headers["Authorization"] = f"Basic {encoded}"
        return request


def registered(uri: str) -> str:
    """The address of a server without user and password, with which MLflow logs in from now on.

    Args:
        uri: The address, http or https.
    """
    bare = without_credentials(uri)
    user, _, password = uri.partition("://")[2].rpartition("@")[0].partition(":")
    if password:  # otherwise MLflow and requests look for a login elsewhere, such as in ~/.netrc
        Logins.of[_server(bare)] = unquote(user), unquote(password)
        _register()
    return bare


def _register() -> None:
    """Make MLflow ask `Logins`, unless the user has chosen another provider."""
    from mlflow.tracking.request_auth import registry

    providers = registry._request_auth_provider_registry
    if not any(isinstance(one, Logins) for one in providers):
        providers.register(Logins)
    os.environ.setdefault("MLFLOW_TRACKING_AUTH", PROVIDER)


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def is_set(variable: str) -> bool:
    """Whether a variable of MLflow, which may be a truth value, is set to another provider of logins than ours.

    Args:
        variable: The name of the variable.
    """
    return os.environ.get(variable, "").lower() not in ("", "false", "0", PROVIDER)


def is_signed() -> bool:
    """Whether MLflow signs its requests in a way that only MLflow knows."""
    return any(map(is_set, SIGNED))


def shared_login(uri: str) -> str | None:
    """Where the login is set that any store of the kind of an address would be sent, whichever it is; None for nowhere.

    The login of an address is that of one host, and so are those of ~/.netrc and ~/.pgpass, but for one of any host in them.

    Args:
        uri: The address of a store.

    Raises:
        InputError: The file of MLflow's logins cannot be read.
    """
    if named := next((name for name in SHARED.get(dialect(uri), ()) if is_set(name)), None):
        return named
    if is_server(uri):
        return CREDENTIALS if all(_mlflow_login()) else NETRC if _netrc_login("default") else None
    return PGPASS if dialect(uri) == "postgresql" and _has_password_of_any_host() else None


def _has_password_of_any_host() -> bool:
    """Whether the file of PostgreSQL's passwords has one that is sent to every host."""
    path = os.environ.get("PGPASSFILE") or os.path.expanduser(PGPASS)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.startswith("*:") for line in file)
    except OSError:
        return False


def authorization(uri: str) -> str:
    """The header Authorization of a request: requests prefers ~/.netrc and the address, MLflow user and password to a token.

    Args:
        uri: The address of the server, which may hold a user and a password.
    """
    login = _netrc_login(urlsplit(uri).hostname or "") or _login_of_address(uri)
    if login:
        return _basic(*login, "latin-1")
    user, password = _mlflow_login()
    if user and password:
        return _basic(user, password, "utf-8")
    token = os.environ.get(TOKEN)
    return f"Bearer {token}" if token else ""


def _basic(user: str, password: str, encoding: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode(encoding)).decode()}"


def _login_of_address(uri: str) -> tuple[str, str] | None:
    parts = urlsplit(uri)
    if parts.username is None or parts.password is None:
        return None
    login = unquote(parts.username), unquote(parts.password)
    return login if any(login) else None


def _netrc_login(host: str) -> tuple[str, str] | None:
    """User and password of a host in ~/.netrc, whose entry `default` is that of every other host."""
    from netrc import NetrcParseError, netrc

    named = os.environ.get("NETRC")
    paths = map(os.path.expanduser, [named] if named else ["~/.netrc", "~/_netrc"])
    path = next(filter(os.path.exists, paths), None)
    try:
        found = netrc(path).authenticators(host) if path else None
    except (NetrcParseError, OSError, UnicodeError):
        return None
    return (found[0] or found[1], found[2] or "") if found and any(found) else None


def _mlflow_login() -> tuple[str | None, str | None]:
    """User and password of MLflow's variables, or of its file, which MLflow reads in the same way."""
    import configparser

    file = configparser.ConfigParser()
    try:
        file.read(os.path.expanduser(CREDENTIALS))
        user, password = (
            os.environ.get(name) or file.get("mlflow", name.lower(), fallback=None) for name in (USERNAME, PASSWORD)
        )
    except (configparser.Error, OSError, UnicodeError) as error:
        raise InputError(f"The file {CREDENTIALS} cannot be read by MLflow: {type(error).__name__}.") from None
    return user, password
