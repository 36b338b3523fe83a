"""Addresses of MLflow stores: which are possible, that none holds a password, and how one is shown.

Nothing is opened here, and no server is asked.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from polyexp.base import InputError, cut, shown

__all__ = [
    "address_in",
    "dialect",
    "for_mlflow",
    "hidden",
    "identity_of",
    "is_server",
    "require_address",
    "require_no_credentials",
    "require_no_typed_credentials",
    "sqlite_path",
    "sqlite_uri",
    "without_credentials",
]

KEY = "tracking.uri"
ADDRESSES = "sqlite:///path/to/mlflow.db, https://server or postgresql://server/database"
VARIABLE = "MLFLOW_TRACKING_URI"  # which names the store where tracking.uri is null
SERVERS = ("http", "https")
DATABASES = ("postgresql", "mysql", "mssql")  # beside SQLite, those that MLflow knows
SQLITE = ("sqlite", "sqlite+pysqlite")  # the second names the driver that the first has anyway
NO_PATHS = ("databricks", "databricks-uc", "uc", "s3", "gs", "dbfs")  # words that are no path even without ://
# The name of a value that may be secret, as in `?password=`, `;PWD=` or `api_key=`; but not passfile=, a path.
SECRET_NAME = r"(?:pass(?!file)|pwd|secret|token|(?:api|access)_?key|credential|authorization)\w*"
NAMED_SECRET = re.compile(rf"{SECRET_NAME}\s*=\s*([^&;\s]*)", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what a terminal would not print
MAX_CHARACTERS = 2000  # of an address
# One or several hosts with a number as the port of each. In `u:secret/name`, whose @ was forgotten, the password is no number.
HOSTS = re.compile(r"(?:(?:\[[^]]*\]|[^:\[\],/?#]*)(?::\d*)?(?:,|(?=[/?#]|$)))+")
ADVICE = {
    "server": "type the address alone, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "MLFLOW_TRACKING_TOKEN, in the environment.",
    "postgresql": "type the address without it, and set PGPASSWORD or use a file ~/.pgpass; or set the whole address as "
    "MLFLOW_TRACKING_URI in place of this setting.",
    "mysql": "set the whole address as MLFLOW_TRACKING_URI in place of this setting.",
    "mssql": "set the whole address as MLFLOW_TRACKING_URI in place of this setting.",
}


def require_no_credentials(uri: Any, key: str = KEY) -> None:
    """Require that the address of a store, such as the value of `tracking.uri`, holds no password.

    Of a server (http, https) and of an address of any other kind that is not known it may hold no user either: nothing before
    an @ is allowed. The error repeats no part of the value.

    Args:
        uri: The address, or any other value.
        key: The name of the value in the error.

    Raises:
        InputError: Where it holds a password, or something that could be one, has more than 2000 characters, or is no text.

    Example:
        >>> require_no_credentials("postgresql://somebody@host/name")
        >>> try:
        ...     require_no_credentials("postgresql://somebody:hunter2@host/name")
        ... except InputError as error:
        ...     print("hunter2" in str(error), "PGPASSWORD" in str(error))
        False True
    """
    if not isinstance(uri, str):  # the error does not repeat another value, which may hold a password
        raise InputError(f"`{key}` must be an address such as {ADDRESSES}, got one of type {type(uri).__name__}.")
    if len(uri) > MAX_CHARACTERS:
        raise InputError(f"`{key}` must have at most {MAX_CHARACTERS} characters, got {len(uri)}.")
    if _has_credentials(uri):
        kind = dialect(uri)
        what = "a password" if kind in DATABASES else "a user, password or token"
        raise InputError(
            f"`{key}` must not hold {what}, because it is written to files and shown: {ADVICE.get(kind, ADVICE['server'])}"
        )


def require_no_typed_credentials(words: Iterable[str]) -> None:
    """Require that the words of a command line hold no password of a store, before any of them is read, shown or written.

    Args:
        words: The words as they were typed: `tracking.uri=...`, also with quotes and several values, and what resembles it.

    Raises:
        InputError: Where one holds a password, or something that could be one.
    """
    for word in words:
        key, _, value = word.partition("=")
        if re.search(r"tracking\W.*\buri\b|^\W*ur[il]\b", word) or re.search(r"ur[il]$|://", key):
            text = (value if "://" not in key else word).strip("'\"[] ")
            for one in (text, *re.split(r"[],\s'\"[(){}]+(?=[\w+.-]+:)", text)):
                require_no_credentials(one)


def require_address(uri: str, key: str = KEY) -> None:
    """Require an address of a kind of store that there is; whether there is a store is not asked.

    Args:
        uri: The address, which holds no credentials where it comes from a setting; the error repeats none.
        key: The name of the value in the error.

    Raises:
        InputError: For another kind of address, a SQLite store in memory, or one with anything but the path of a file.
    """
    if hint := _fault(uri.strip()[: MAX_CHARACTERS + 1]):
        sentence = f"`{key}` must be an address such as {ADDRESSES}, got {_quotable(uri)}: {hint}."
        raise InputError(hidden(sentence, uri))


def identity_of(uri: str, *made: object) -> str:
    """What names a store: its address, and what is another one where it has been made anew, such as when it was made.

    Args:
        uri: The address without credentials.
        made: Numbers.

    Example:
        >>> identity_of("sqlite:////tmp/mlflow.db", 7, 1700000000000)
        'sqlite:////tmp/mlflow.db 7-1700000000000'
    """
    return f"{uri} {'-'.join(map(str, made))}"


def address_in(identity: str) -> str:
    """The address of the store that an identity names.

    Args:
        identity: What `identity_of` has made, or any other text.
    """
    return identity.rpartition(" ")[0]


def sqlite_uri(path: Path) -> str:
    """The address of a SQLite file, with the reserved characters of its path quoted."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def for_mlflow(uri: str) -> str:
    """The address as MLflow is given it.

    For an address that begins with sqlite:/// it would make the folders of the path as it is spelt there, with `%25` for a %.

    Args:
        uri: The address.

    Example:
        >>> for_mlflow("sqlite:////tmp/100%25/mlflow.db")
        'sqlite+pysqlite:////tmp/100%25/mlflow.db'
    """
    return re.sub(r"^sqlite:", f"{SQLITE[1]}:", uri)


def sqlite_path(uri: str) -> Path | None:
    """The real path of the file of a SQLite store, which every spelling of its address gives; None for another store.

    Args:
        uri: The address, which has the form that `require_address` requires.
    """
    scheme, _, rest = uri.strip().partition("://")
    return Path(unquote(rest[1:])).resolve() if scheme.lower() in SQLITE else None


def dialect(uri: str) -> str:
    """`postgresql` of `postgresql+psycopg2://...`: the scheme without the driver."""
    return re.split(r"[+:]", uri.strip().lower(), maxsplit=1)[0]


def is_server(uri: str) -> bool:
    """Whether a store is a server, http or https."""
    return dialect(uri) in SERVERS


def without_credentials(uri: str) -> str:
    """The address as it is shown: of a server without user and password, of a database with `***` for the password.

    Example:
        >>> without_credentials("https://somebody:hunter2@host/mlflow")
        'https://host/mlflow'
        >>> without_credentials("postgresql://somebody:hunter2@host/name?sslmode=require")
        'postgresql://somebody:***@host/name?sslmode=require'
    """
    if not _has_credentials(uri):
        return uri
    scheme, separator, rest = uri.strip().partition("://")
    before, _, after = rest.rpartition("@")
    bare = f"{scheme}{separator}{after}"
    if dialect(uri) not in (*SERVERS, *DATABASES) or _has_credentials(bare):
        return f"{scheme}://***" if separator else "***"
    user = _decoded(before).partition(":")[0]
    return bare if is_server(uri) else f"{scheme}{separator}{quote(user)}:***@{after}"


def hidden(text: str, uri: str) -> str:
    """The text, a message about an address, with `***` for what is secret in the address.

    Args:
        text: The message.
        uri: The address, which may hold credentials.
    """
    rest = uri.partition("://")[2] or uri
    user, _, password = rest.rpartition("@")[0].partition(":")
    ports = re.findall(r":([^:@/?#,]*[^:@/?#,\d][^:@/?#,]*)", rest)  # which are none: a password whose @ was forgotten
    secrets = [rest, *NAMED_SECRET.findall(_decoded(uri)), password, *ports, *([user] if is_server(uri) else [])]
    found = {form for one in secrets for form in (one, unquote(one), _quoted(one)) if form}
    for one in sorted(found if _has_credentials(uri) else (), key=len, reverse=True):
        text = text.replace(one, "***")
    return text


def _has_credentials(uri: str) -> bool:
    scheme, rest = _parts(_decoded(uri))
    before, at, after = rest.rpartition("@")
    if scheme in SQLITE and rest.startswith("/"):  # a path, in which an @ is allowed
        return bool(re.search(r"\w:[^/@]+@", rest) or NAMED_SECRET.search(rest.partition("?")[2]))
    user_is_allowed = dialect(scheme) in DATABASES
    has_port = user_is_allowed or scheme in SERVERS
    return bool(
        (":" in before if user_is_allowed else at) or (has_port and not HOSTS.match(after)) or NAMED_SECRET.search(rest)
    )


def _parts(uri: str) -> tuple[str, str]:
    """The scheme in lower case, and what follows ://; an empty scheme and the whole text where there is none."""
    scheme, separator, rest = uri.strip().partition("://")
    return (scheme.lower(), rest) if separator else ("", scheme)


def _decoded(uri: str) -> str:
    """The text without percent-encoding, also where that has been applied to its own result."""
    while (decoded := unquote(uri)) != uri:
        uri = decoded
    return uri


def _quoted(text: str) -> str:
    # Halves of surrogate pairs, but for those in which Python keeps the bytes of a path.
    for_no_byte = re.search("[\ud800-\udc7f\udd00-\udfff]", text)
    return quote(text, safe="", errors="surrogatepass" if for_no_byte else "surrogateescape")


def _quotable(uri: str) -> str:
    """A value that is no address of a store, as an error shows it: only the scheme of one that may hold something secret."""
    scheme, rest = _parts(uri)
    secret = "?#" if scheme in SERVERS else ":" if not scheme else ""
    harmless = scheme in ("", "file", *SQLITE, *SERVERS) and not any(one in rest for one in secret)
    return shown(uri if harmless else f"{scheme or rest.partition(':')[0]}:...")


def _fault(uri: str) -> str:
    """What is wrong with an address, and what to type in its place; empty where nothing is."""
    scheme, rest = _parts(uri)
    if uri != uri.encode("utf-8", "replace").decode("utf-8"):
        return "it is not UTF-8, rename the folder"
    if CONTROL.search(rest):
        return "it has a control character, rename the folder"
    if scheme in SERVERS:
        well_formed = re.fullmatch(r"[^/?#\s]+(/[^?#\s]*)?", rest)
        return "" if well_formed else "it needs a host, and takes no blanks, ? or #"
    if re.fullmatch(rf"({'|'.join(DATABASES)})(\+\w+)?", scheme):
        return ""
    if scheme in SQLITE:
        return _path_fault(rest)
    if dialect(uri) == "sqlite":
        return "type sqlite:///path, with three slashes and without another driver"
    if scheme == "file" or (not scheme and dialect(uri) not in NO_PATHS):
        return f"MLflow no longer writes to folders, type sqlite:///{_file_for(rest)}"
    meant = get_close_matches(scheme, ("sqlite", *SERVERS, *DATABASES), n=1)
    return f"there is no store of this kind{f', {meant[0]}:// may be meant' if meant else ''}"


def _path_fault(rest: str) -> str:
    """What is wrong with the part of a SQLite address behind ://."""
    path = rest[1:]
    if not rest.startswith("/"):
        return f"type sqlite:///{cut(rest) or 'mlflow.db'}, with three slashes"
    if path in ("", ":memory:", "file::memory:"):
        return "a store needs a file, type sqlite:///mlflow.db"
    if "?" in path:
        return "a SQLite store takes no settings, and a ? of the path is typed as %3F"
    if path.startswith("~"):
        return "~ is not replaced, type the path of the folder"
    if "\0" in unquote(path):
        return "a path has no NUL"
    return "it names a folder, add the name of a file" if path.endswith("/") else ""


def _file_for(path: str) -> str:
    """The path of a SQLite store in place of a folder of MLflow's files, or of a path that was typed without its scheme."""
    folder = cut(path.removeprefix("file:") or ".")
    return folder if folder.endswith((".db", ".sqlite", ".sqlite3")) else f"{folder.rstrip('/')}/mlflow.db"
