import pytest

from iwf_interpreter.worker_addresses import WorkerAddresses, worker_addresses_from_environment
from iwf_interpreter.worker_client import WorkerClientOptions, options_from_environment


@pytest.mark.parametrize(
    ("worker_url", "base_url"),
    [
        pytest.param("http://localhost:8802", "http://gateway:8802", id="localhost"),
        pytest.param("http://127.0.0.1:8802", "http://gateway:8802", id="loopback-address"),
        pytest.param("https://localhost", "https://gateway", id="no-port"),
        pytest.param("http://LocalHost:8802", "http://gateway:8802", id="any-case"),
        pytest.param("http://localhost:8803/worker", "http://gateway:8803/worker", id="path"),
        pytest.param("http://u:p@localhost:1/a", "http://u:p@gateway:1/a", id="user-info"),
        pytest.param("http://mylocalhost-svc:1", "http://mylocalhost-svc:1", id="name-contains-localhost"),
        pytest.param("http://localhost.example:1", "http://localhost.example:1", id="name-starts-so"),
        pytest.param("http://127.0.0.10:1", "http://127.0.0.10:1", id="other-address"),
        pytest.param("http://orders/localhost", "http://orders/localhost", id="localhost-in-path"),
        pytest.param("http://localhost:$PORT$/w", "http://gateway:9000/w", id="placeholder"),
        pytest.param("http://orders:$PORT$", "http://orders:9000", id="placeholder-alone"),
        pytest.param("http://orders/$PORT$/$PORT$", "http://orders/9000/$PORT$", id="first-placeholder"),
        pytest.param("http://orders:$OTHER$", "http://orders:$OTHER$", id="other-placeholder"),
    ],
)
def test_only_a_loopback_host_and_the_placeholder_are_replaced(worker_url: str, base_url: str) -> None:
    addresses = WorkerAddresses(loopback_host="gateway", placeholder="$PORT$", placeholder_value="9000")

    assert addresses.base_url(worker_url) == base_url


@pytest.mark.parametrize(
    ("worker_url", "base_url"),
    [
        pytest.param("http://localhost:8802", "http://localhost:8802", id="as-it-is"),
        pytest.param("http://localhost:8802/", "http://localhost:8802", id="slash"),
        pytest.param("http://localhost:8802///", "http://localhost:8802", id="slashes"),
        pytest.param("http://w/some/prefix//", "http://w/some/prefix", id="path-and-slashes"),
    ],
)
def test_without_rules_only_trailing_slashes_go(worker_url: str, base_url: str) -> None:
    assert WorkerAddresses().base_url(worker_url) == base_url


@pytest.mark.parametrize(
    ("base_url", "proxy_url"),
    [
        pytest.param("http://orders:8802", "http://proxy:3128", id="http"),
        pytest.param("https://orders", "http://u:p@secure:3128", id="https"),
        pytest.param("ftp://orders", None, id="other-scheme"),
        pytest.param("http://localhost:8802", None, id="localhost"),
        pytest.param("http://127.0.0.5:8802", None, id="loopback-address"),
        pytest.param("http://[::1]:8802", None, id="loopback-address-v6"),
        pytest.param("http://internal:1", None, id="exempt-host"),
        pytest.param("http://INTERNAL:1", None, id="exempt-host-in-capitals"),
        pytest.param("http://a.internal:1", None, id="host-of-exempt-domain"),
        pytest.param("http://notinternal:1", "http://proxy:3128", id="name-ends-so"),
        pytest.param("http://a.corp.example", None, id="domain-with-dot"),
        pytest.param("http://a.star.example", None, id="domain-with-star"),
        pytest.param("http://billing:8080", None, id="exempt-port"),
        pytest.param("http://billing:8081", "http://proxy:3128", id="other-port"),
        pytest.param("http://10.1.2.3:8802", None, id="exempt-network"),
        pytest.param("http://11.1.2.3:8802", "http://proxy:3128", id="other-network"),
    ],
)
def test_a_proxy_is_used_unless_the_host_is_exempt(base_url: str, proxy_url: str | None) -> None:
    addresses = WorkerAddresses(
        proxies={"http": "proxy:3128", "https": "http://u:p@secure:3128"},
        no_proxy=("internal", ".corp.example", "*.star.example", "billing:8080", "10.0.0.0/8", "bad/net"),
    )

    assert addresses.proxy_url(base_url) == proxy_url


def test_a_star_exempts_every_host() -> None:
    addresses = WorkerAddresses(proxies={"http": "http://proxy:3128"}, no_proxy=("*",))

    assert addresses.proxy_url("http://orders") is None


def test_the_environment_gives_all_rules() -> None:
    environ = {
        "AUTO_FIX_WORKER_URL": "host.docker.internal",
        "AUTO_FIX_WORKER_PORT_FROM_ENV": "WORKER_PORT",
        "WORKER_PORT": "9000",
        "HTTP_PROXY": "http://ignored:1",
        "http_proxy": "http://proxy:3128",
        "HTTPS_PROXY": "http://secure:3128",
        "NO_PROXY": "Internal, .corp.example,,",
    }

    addresses = worker_addresses_from_environment(environ)

    assert addresses == WorkerAddresses(
        loopback_host="host.docker.internal",
        placeholder="$WORKER_PORT$",
        placeholder_value="9000",
        proxies={"http": "http://proxy:3128", "https": "http://secure:3128"},
        no_proxy=("internal", ".corp.example"),
    )
    assert options_from_environment(environ) == WorkerClientOptions(addresses=addresses)


def test_an_empty_environment_gives_no_rules() -> None:
    addresses = worker_addresses_from_environment({})

    assert addresses.base_url("http://localhost:$P$/w/") == "http://localhost:$P$/w"
    assert addresses.proxy_url("http://orders") is None


def test_a_placeholder_without_value_is_replaced_by_nothing() -> None:
    addresses = worker_addresses_from_environment({"AUTO_FIX_WORKER_PORT_FROM_ENV": "P"})

    assert addresses.base_url("http://orders$P$/w") == "http://orders/w"
