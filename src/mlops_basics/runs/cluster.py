"""The Dask cluster of a run, where the environment has a ``dask.yml``."""

from __future__ import annotations

import difflib
import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from mlops_basics.config.extras import install_remedy
from mlops_basics.config.own_code import found_packages, own_packages, source_folder
from mlops_basics.errors import ClusterError, ConfigurationError
from mlops_basics.table.engine import working_on

from .code_version import LIBRARIES, installed

ADDRESS = "scheduler-address"
ENCRYPTION = "distributed.comm.require-encryption"
_TLS = "distributed.comm.tls"
_VARIABLES = "distributed.nanny.pre-spawn-environ"  # of workers, by any name
_FILES = (f"{_TLS}.ca-file", f"{_TLS}.client.cert", f"{_TLS}.client.key")
_ENCRYPTED = ("tls", "wss")
_PAGE = "See docs/how-to/dask.md."

Found = Mapping[str, str | None]  # the version of a library, or the hash of code, by name


@contextmanager
def open_cluster(given: Mapping[str, Any], project_path: Path) -> Iterator[None]:
    """Let ``map_parts`` work on the cluster that a ``dask.yml`` names, as long as this lasts.

    Args:
        given: Its content: keys of Dask's own configuration. Dask's environment variables win.
        project_path: Where relative paths of certificates start.

    Raises:
        ConfigurationError: For a key that Dask does not know, an address without encryption that
            is not on this machine, or a certificate that is missing.
        ClusterError: If the scheduler cannot be reached, has no worker, or if a worker has another
            version of a library, or other code, than this process.
    """
    dask, distributed = _imported()
    with dask.config.set(_settings(given, dask, project_path)):
        address = _checked_address(dask)
        try:
            client = distributed.Client(address, name="mlops-basics")
        except Exception as error:
            raise ClusterError(
                f"The Dask scheduler {address} cannot be reached: {_innermost(error)}. Is it "
                f"running, and are its certificates those of dask.yml? {_PAGE}"
            ) from error
        with client:
            patience = dask.config.get("distributed.comm.timeouts.connect")
            check = _required_same(client, address, dask.utils.parse_timedelta(patience))
            with working_on(client, address, check):
                yield


def _imported() -> tuple[Any, Any]:
    try:
        import dask
        import dask.utils

        # Kept from giving loggers handlers of its own: conf/logging.yml says who speaks.
        with dask.config.set({"logging": {"version": 1, "incremental": True}}):
            import distributed
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"dask.yml needs the package '{error.name}', which is not installed. "
            + install_remedy("dask")
        ) from error
    return dask, distributed


def _settings(given: Mapping[str, Any], dask: Any, project_path: Path) -> dict[str, Any]:
    """The keys of a file by their dotted names, then those of Dask's environment variables.

    Paths of certificates start at the project.
    """
    settings = {name: value for name, value in _dotted(given) if value not in (None, {})}
    known = {**dict(_dotted(dask.config.merge(*dask.config.defaults))), _VARIABLES: {}}
    for name in settings:
        if name != ADDRESS and not any(
            name == each or name.startswith(f"{each}.") for each in known
        ):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(
                f"Dask has no option '{name}', to which dask.yml gives a value.{hint}"
            )
    variables = dask.config.collect_env()
    variables.pop("config", None)  # DASK_CONFIG: where other files lie
    # A variable is written with underscores, whatever the option's name.
    settings |= {name.replace("_", "-"): value for name, value in _dotted(variables)}
    paths = {name: str(project_path / settings[name]) for name in _FILES if settings.get(name)}
    return settings | paths


def _dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _dotted(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _checked_address(dask: Any) -> str:
    """The scheduler's address, if keys and code may be sent there."""
    from distributed.comm.addressing import parse_address, parse_host_port

    address = dask.config.get(ADDRESS, None)
    if not address:
        raise ConfigurationError(
            f"dask.yml names no scheduler. Write into it: {ADDRESS}: tls://HOST:8786, or set "
            "DASK_SCHEDULER_ADDRESS."
        )
    scheme, place = parse_address(str(address))
    try:
        host = "" if scheme == "inproc" else parse_host_port(place)[0]
    except ValueError as error:
        raise ConfigurationError(
            f"{ADDRESS} of dask.yml is {str(address)[:80]!r}: {error}. Write tls://HOST:8786."
        ) from error
    if scheme in _ENCRYPTED:
        _require_files(dask)
    elif dask.config.get(ENCRYPTION, None) is not False and not _is_this_machine(host):
        raise ConfigurationError(
            f"The Dask scheduler {address} is on another machine, and its address is not "
            "encrypted: keys of the storage and rows would cross the network in plain text. Use "
            f"tls:// and certificates, or, in a network that you trust, {ENCRYPTION}: false in "
            f"dask.yml. {_PAGE}"
        )
    return str(address)


def _require_files(dask: Any) -> None:
    for name in _FILES:
        path = dask.config.get(name, None)
        if not path or not Path(path).is_file():
            what = f"is not there: {path}" if path else "is not named"
            raise ConfigurationError(
                f"The certificate {name} of dask.yml {what}. Make it, or copy it from where the "
                f"scheduler runs. {_PAGE}"
            )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")  # "": in this process


def _required_same(client: Any, address: str, patience: float) -> Callable[[], None]:
    """Refuse a cluster without a worker, or one whose results may be others than this process's.

    Returns:
        What refuses a worker that joins later, called there.
    """
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise ClusterError(
            f"The Dask scheduler {address} has no worker. Start one: dask worker {address}. {_PAGE}"
        ) from error
    versions = client.get_versions()
    here, there = (versions[who]["packages"] for who in ("client", "scheduler"))
    _require_equal("The scheduler", there, {name: here[name] for name in here if name in there})
    own = ("mlops_basics", *sorted(own_packages(source_folder())))
    expected = {**_libraries(), **found_packages(own)}
    try:
        found = client.run(_found_here, own)
    except Exception as error:  # it comes as text where the worker cannot even find the function
        raise ClusterError(
            f"A worker of {address} cannot run this project's code ({_innermost(error)}): start "
            f"workers in the project, with its lock and PYTHONPATH=src. {_PAGE}"
        ) from error
    for at, each in found.items():
        _require_equal(f"The worker {at}", each, expected, own)
    return partial(_require_here, own, expected)


def _require_here(own: tuple[str, ...], expected: Found) -> None:
    """On a worker."""
    from distributed import get_worker

    _require_equal(f"The worker {get_worker().address}", _found_here(own), expected, own)


@cache  # what a process has imported stays what it was, whatever happens to the files
def _found_here(own: tuple[str, ...]) -> Found:
    return {**_libraries(), **found_packages(own)}


def _libraries() -> Found:
    # Of this package the code is compared: whether it is installed, too, does not matter.
    names = [name for name in (*LIBRARIES, "dask", "distributed") if name != "mlops-basics"]
    return {"python": platform.python_version(), **{name: installed(name) for name in names}}


def _require_equal(who: str, found: Found, expected: Found, own: Collection[str] = ()) -> None:
    """Raises ClusterError where versions, or the code of packages of ours, are not as expected."""
    differing = [name for name in expected if found.get(name) != expected[name]]
    code = [name for name in differing if name in own]
    if code:
        raise ClusterError(
            f"{who} has other code than this process in {', '.join(code)}. Bring the same code "
            f"there (git pull), and start it again. {_PAGE}"
        )
    if differing:
        told = [f"{name} {found.get(name)} instead of {expected[name]}" for name in differing]
        raise ClusterError(
            f"{who} has other versions than this process: {', '.join(told)}. Install the same lock "
            f"there (pip install -r requirements.txt), and start it again. {_PAGE}"
        )


def _innermost(error: BaseException) -> str:
    """What a chain of errors began with, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
