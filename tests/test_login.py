"""The login of a server, which only that server is sent."""

import base64
import os
from types import SimpleNamespace

import pytest

from polyexp.tracking.login import Logins, registered


@pytest.fixture
def logins(monkeypatch):
    """The provider without logins, and its choice undone after the test."""
    monkeypatch.setattr(Logins, "of", {})
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "polyexp")
    return Logins()


def headers(logins, url):
    return logins(SimpleNamespace(url=url, headers={})).headers


@pytest.mark.parametrize(
    ("user", "login"),
    [
        ("me:hunter2", "me:hunter2"),
        ("me:hun%2Fter%402", "me:hun/ter@2"),
        ("m%3Ae:a:b", "m:e:a:b"),
        ("me:a@b", "me:a@b"),
    ],
)
def test_a_login_reaches_its_own_server_alone(logins, user, login):
    bare = registered(f"HTTP://{user}@Host:80/mlflow")
    assert bare == "HTTP://Host:80/mlflow"
    basic = f"Basic {base64.b64encode(login.encode()).decode()}"
    assert headers(logins, "http://host:80/mlflow/api/2.0/mlflow/runs/create") == {"Authorization": basic}
    for other in ("http://host:81/mlflow", "https://host:80/mlflow", "http://other:80/mlflow", "http://host.x:80/"):
        assert headers(logins, other) == {}


@pytest.mark.parametrize("uri", ["http://host", "http://token@host", "http://me:@host"])
def test_an_address_without_a_password_gives_no_login(logins, uri):
    assert registered(uri) == "http://host"
    assert headers(logins, "http://host/health") == {}


def test_without_a_password_mlflow_looks_for_a_login_elsewhere(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_AUTH", raising=False)
    assert registered("http://host") == "http://host"
    assert "MLFLOW_TRACKING_AUTH" not in os.environ


def test_mlflow_finds_the_provider_once(logins):
    from mlflow.tracking.request_auth.registry import _request_auth_provider_registry, fetch_auth

    for _ in range(2):
        registered("http://me:hunter2@host")
    assert isinstance(fetch_auth("polyexp"), Logins)
    assert sum(isinstance(one, Logins) for one in _request_auth_provider_registry) == 1
