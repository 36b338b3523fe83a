"""Single requests to an MLflow server: whether it can record a run, and which store it has; MLflow is not imported.

Login, certificates and proxies are those that MLflow and requests, which it uses, take from the environment and from files.
"""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from polyexp.base import cut
from polyexp.tracking.address import without_credentials
from polyexp.tracking.login import authorization, is_set, is_signed

__all__ = ["RefusedLoginError", "deleted_experiment", "oldest_experiment"]

ENDPOINT = "/api/2.0/mlflow/experiments/get-by-name"
SEARCH = "/api/2.0/mlflow/experiments/search"
MAX_BYTES = 2**24  # of an answer: an MLflow experiment with its tags, of which each has at most 20 000 characters
INSECURE, AUTHORITIES = "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"
FORBIDDEN_HOST = b"Invalid Host header"  # the answer of a server that is not reached under a name it allows


class RefusedLoginError(PermissionError):
    """A server that refuses the user, password or token, or asks for one."""


def deleted_experiment(uri: str, name: str, seconds: float) -> str | None:
    """The id of the MLflow experiment of a name if it has been deleted; None where it has not, or is not there.

    Args:
        uri: The address of the server, which may hold a user and a password.
        name: The name of the MLflow experiment.
        seconds: For which each answer of the network is waited for.

    Raises:
        RefusedLoginError: The server refuses the login.
        Exception: Any other: there is no answer, or not that of an MLflow server.
    """
    answer = _answer(uri, f"{ENDPOINT}?{urlencode({'experiment_name': name})}", seconds)
    return _deleted(*answer) if answer else None


def oldest_experiment(uri: str, seconds: float) -> int:
    """The time at which the oldest MLflow experiment of a server was made, in milliseconds since 1970.

    Args:
        uri: The address of the server, which may hold a user and a password.
        seconds: For which each answer of the network is waited for.

    Raises:
        Exception: The server does not say it.
    """
    order = [("order_by", "creation_time ASC"), ("order_by", "experiment_id ASC")]
    answer = _answer(uri, f"{SEARCH}?{urlencode([('view_type', 'ALL'), ('max_results', '1'), *order])}", seconds)
    if answer is None or answer[0].status != 200:
        raise ValueError("it does not list its MLflow experiments")
    return int(_json(answer[1])["experiments"][0]["creation_time"])


def _answer(uri: str, request: str, seconds: float) -> tuple[Any, bytes] | None:
    """The response to a GET request, with its body; None behind a proxy that only MLflow can use."""
    from http.client import HTTPException, RemoteDisconnected
    from urllib.request import Request

    base = quote(without_credentials(uri).rstrip("/"), safe="%/:[]@!$&'()*+,;=~")
    proxy = _proxy(base)
    if proxy.startswith("socks"):
        return None
    try:
        with _opened(Request(f"{base}{request}", headers=_headers(uri)), proxy, seconds) as response:
            return response, response.read(MAX_BYTES)
    except RemoteDisconnected:
        raise
    except HTTPException as error:
        raise ValueError("its answer is not one of HTTP") from error


def _opened(request: Any, proxy: str, seconds: float) -> Any:
    """The response to a request, whatever its status; a redirection is a response, too."""
    from urllib import request as requests
    from urllib.error import HTTPError

    class Redirections(requests.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    https = [requests.HTTPSHandler(context=_tls_context())] if request.type == "https" else []
    proxies = requests.ProxyHandler({request.type: proxy} if proxy else {})
    ask = requests.build_opener(proxies, Redirections(), *https).open
    try:
        return ask(request, timeout=seconds)
    except HTTPError as response:
        return response


def _deleted(response: Any, body: bytes) -> str | None:
    """What a response tells of the MLflow experiment, as `deleted_experiment`."""
    content = _json(body)
    experiment = content.get("experiment")
    if response.status == 200 and isinstance(experiment, dict) and str(experiment.get("experiment_id", "")).isalnum():
        return str(experiment["experiment_id"]) if experiment.get("lifecycle_stage") == "deleted" else None
    is_missing = response.status == 404 and content.get("error_code") == "RESOURCE_DOES_NOT_EXIST"
    if is_missing or (response.status in (401, 403) and is_signed()):
        return None
    raise _fault(response, body)


def _fault(response: Any, body: bytes) -> Exception:
    status = f"{response.status} {cut(response.reason or '')}".strip()
    if response.status == 403 and FORBIDDEN_HOST in body:
        return ValueError(f"it answered {status}: this name is not among the --allowed-hosts of the server")
    if response.status in (401, 403):
        return RefusedLoginError(f"it refused the login: {status}")
    if 300 <= response.status < 400:
        return ValueError(f"it redirects to {_target(response.headers.get('Location', ''))}")
    if response.status < 300:
        return ValueError("its answer is not one of MLflow")
    return ValueError(f"it answered {status}{', which MLflow does not' if response.status == 404 else ''}")


def _target(location: str) -> str:
    """Where a response redirects to, and that this is to be typed, where it is the same of another server."""
    address = without_credentials(location.partition("?")[0].partition("#")[0])
    base = address.removesuffix(ENDPOINT)
    return f"{cut(base)!r}{', type that address' if base != address and '://' in base else ''}"


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _headers(uri: str) -> dict[str, str]:
    """The headers of a request, with the login that MLflow and requests would send."""
    headers = {"User-Agent": "polyexp", "Accept": "application/json"}
    if workspace := os.environ.get("MLFLOW_WORKSPACE", "").strip():
        headers["X-MLFLOW-WORKSPACE"] = workspace
    if login := authorization(uri):
        headers["Authorization"] = login
    return headers


def _tls_context() -> Any:
    """The TLS settings of MLflow and requests: their certificates, and whether that of the server is verified."""
    import ssl

    from certifi import where

    insecure = is_set(INSECURE)
    authorities = os.environ.get(AUTHORITIES)
    if insecure and authorities:
        raise ValueError(f"{INSECURE} and {AUTHORITIES} exclude each other")
    bundle = authorities or next(filter(None, map(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))), None)
    place = _certificates(bundle or where())
    is_folder = bool(place and os.path.isdir(place))
    context = ssl.create_default_context(cafile=None if is_folder else place, capath=place if is_folder else None)
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if client := _certificates(os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")):
        context.load_cert_chain(client)
    return context


def _certificates(path: str | None) -> str | None:
    if path and not os.path.exists(path):
        raise FileNotFoundError(f"there are no certificates at {path}")
    return path


def _proxy(address: str) -> str:
    """The proxy that requests would use for an address; empty for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(address)
    if proxy_bypass(parts.netloc) or proxy_bypass(parts.hostname or "") or _is_excepted(parts.hostname or ""):
        return ""
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all") or ""


def _is_excepted(host: str) -> bool:
    """Whether the variable no_proxy names a network, such as 10.0.0.0/8, with this host."""
    from ipaddress import ip_address, ip_network

    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    try:
        networks = [ip_network(one, strict=False) for one in excepted.replace(" ", "").split(",") if "/" in one]
        return any(ip_address(host) in network for network in networks)
    except ValueError:
        return False
