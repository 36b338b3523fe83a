"""The login of a server whose address holds user and password, which MLflow would put into the texts of its errors.

MLflow is given the address without them, and asks here for the login, as its plugins for logins do it.
"""

import base64
import os
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from polyexp.tracking.address import without_credentials

__all__ = ["PROVIDER", "registered"]


PROVIDER = "polyexp"  # the value of MLFLOW_TRACKING_AUTH


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
