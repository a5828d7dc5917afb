"""Where a worker is reached: rewriting of its URL, and proxies.

A workflow keeps the worker URL of its start for good. Rules that are applied at each call let the same URL
work from inside a container, where `localhost` is somebody else (`docs/worker-calls.md`). Nothing here
connects or reads the environment of the process; `worker_addresses_from_environment` reads the one it is
given.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import msgspec

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1")


class WorkerAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for the addresses of workers. The default leaves every address as it is."""

    loopback_host: str = ""
    """Replaces the host of a URL when that is exactly `localhost` or `127.0.0.1`; empty replaces nothing."""
    placeholder: str = ""
    """Text that stands for a port, or anything else, in a URL: `$NAME$`. Empty stands for nothing."""
    placeholder_value: str = ""
    """Replaces the first `placeholder`."""
    proxies: Mapping[str, str] = {}
    """Proxy URL by scheme, `http` and `https`."""
    no_proxy: tuple[str, ...] = ()
    """What is reached without a proxy: hosts, with or without a port, domains with all their hosts, addresses
    and networks (`10.0.0.0/8`), or `*` for everything."""

    def base_url(self, worker_url: str) -> str:
        """The URL to call instead of `worker_url`, without trailing slashes; its path is kept.

        Raises:
            ValueError: It is not a URL.
        """
        url = worker_url
        if self.placeholder:
            url = url.replace(self.placeholder, self.placeholder_value, 1)
        if self.loopback_host:
            parts = urlsplit(url)
            if parts.hostname in _LOOPBACK_HOSTS:
                url = _with_host(parts, self.loopback_host)
        return url.rstrip("/")

    def proxy_url(self, base_url: str) -> str | None:
        """The proxy to reach a URL through, if any. Nothing on this machine is reached through a proxy.

        Raises:
            ValueError: It is not a URL.
        """
        parts = urlsplit(base_url)
        proxy = self.proxies.get(parts.scheme)
        if not proxy or parts.hostname is None or _is_loopback(parts.hostname):
            return None
        address = parts.netloc.rpartition("@")[2].lower()
        if any(_covers(entry, parts.hostname, address) for entry in self.no_proxy):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


def worker_addresses_from_environment(environ: Mapping[str, str]) -> WorkerAddresses:
    """Read the rules from environment variables, under the names that users of iWF and of HTTP know.

    `AUTO_FIX_WORKER_URL` is the `loopback_host`. `AUTO_FIX_WORKER_PORT_FROM_ENV` names another variable,
    whose name between dollar signs is the `placeholder` for its value. `HTTP_PROXY`, `HTTPS_PROXY` and
    `NO_PROXY`, also in lower case, which wins, are the `proxies`.
    """
    name = environ.get("AUTO_FIX_WORKER_PORT_FROM_ENV", "")
    http, https, exempt = (
        environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY", "")
        for scheme in ("http", "https", "no")
    )
    return WorkerAddresses(
        loopback_host=environ.get("AUTO_FIX_WORKER_URL", ""),
        placeholder=f"${name}$" if name else "",
        placeholder_value=environ.get(name, "") if name else "",
        proxies={"http": http, "https": https},
        no_proxy=tuple(entry for part in exempt.split(",") if (entry := part.strip().lower())),
    )


def _with_host(parts: SplitResult, host: str) -> str:
    user_info, at, address = parts.netloc.rpartition("@")
    _, colon, port = address.partition(":")
    return parts._replace(netloc=f"{user_info}{at}{host}{colon}{port}").geturl()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _covers(entry: str, host: str, address: str) -> bool:
    """Whether an entry of `no_proxy` is about a host; `address` is the host with its port, if it has one."""
    if entry in ("*", host, address):
        return True
    if "/" in entry:
        try:
            return ip_address(host) in ip_network(entry, strict=False)
        except ValueError:
            return False
    domain = entry.removeprefix("*").removeprefix(".")
    return host == domain or host.endswith(f".{domain}")
