"""Stores and web servers as fsspec opens them: how long to wait, what is said of objects, and what errors mean."""

from __future__ import annotations

import datetime as dt
import importlib.util
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from dataguard.core.errors import SourceError

# Where nobody has configured logging, Python would print what gcsfs warns of beside the error that we give.
logging.getLogger("gcsfs").addHandler(logging.NullHandler())

_CONNECT_SECONDS = 10.0
_SILENT_SECONDS = 20.0
"""How long a store may be silent before it is asked again, which s3fs does 5 times and gcsfs 6. By default botocore
waits for a minute, asks 5 times itself, and is asked 5 times: 25 minutes for an object."""
_ACCOUNT = {
    *("401", "AccountProblem", "ExpiredToken", "InvalidAccessKeyId", "InvalidSecurity", "InvalidToken", "NotSignedUp"),
    *("RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired"),
    *("CredentialRetrievalError", "NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"),
    *("UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError"),
}
"""What stores and clients call it where who asks is refused, so that nothing else would be given to them either: codes
of S3, which `s3fs.errors` lists, status of HTTP, errors of botocore and google-auth."""
_REFUSED = _ACCOUNT | {"403", "AccessDenied", "AllAccessDisabled", "PermissionError"}
"""The same, and where an object alone is refused."""
_REFUSED_WORDS = ("credential", "forbidden", "access denied", "unauthorized")
_SAME = {"s3a": "s3", "gcs": "gs", "https": "http", "abfs": "az", "abfss": "az"}
"""Other names of protocols."""
_CREDENTIALS = {
    "s3": "AWS_PROFILE, or AWS_ACCESS_KEY_ID with its secret; they need s3:ListBucket and s3:GetObject there",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login; they need "
    "storage.objects.list and storage.objects.get there",
}
"""Where clients find them, and what they must allow."""
_AWAY = (
    *("timeout", "timed out", "reset by peer", "could not connect", "cannot connect", "connection refused", "slowdown"),
    *("disconnect", "connection was closed", "connection closed", "connection broken", "name resolution"),
)
_VERSIONS = ("etag", "generation", "md5hash", "content_md5", "crc32c", "versionid", "version_id", "blob_id", "checksum")
_TIMES = ("mtime", "lastmodified", "last_modified", "updated", "modified", "modify", "modificationtime")
_RECENT_SECONDS = 600.0
"""A time of change so recent does not stand for the content: another write may fall into the same second, and the
store's clock be off."""


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        SourceError: fsspec or the package for this kind of URL is not installed, or the URL is wrong.
    """
    protocol = _kind(url)
    try:
        import fsspec
    except ImportError as error:
        raise SourceError(
            "fsspec is needed to read a URL, and it is not installed",
            where=url,
            hint='install it: pip install "dataguard[remote]"',
        ) from error
    try:
        system, path = fsspec.core.url_to_fs(url, **_patient(protocol, fsspec.config.conf.get(protocol, {})))
    except ImportError as error:
        raise SourceError(
            f"what reads {protocol}:// is not installed: {error}", where=url, hint=f"install {_package(protocol)}"
        ) from error
    except Exception as error:
        raise explained(error, url) from error
    return system, str(path)


def _kind(url: str) -> str:
    """The protocol of a URL under its first name; the outermost where several are chained.

    >>> _kind("gcs://bucket/d"), _kind("simplecache::s3://bucket/d")
    ('gs', 'simplecache')
    """
    found = url.partition("://")[0].partition("::")[0]
    return _SAME.get(found, found)


def _patient(protocol: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """How long to wait, where the user's fsspec configuration does not say so."""
    if protocol == "s3" and "config_kwargs" not in chosen:
        # s3fs asks again itself.
        times = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _SILENT_SECONDS}
        return {"config_kwargs": {**times, "retries": {"max_attempts": 1}}}
    if importlib.util.find_spec("aiohttp") is None:
        return {}
    import aiohttp

    # By default a whole answer may take 5 minutes, however much it is.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENT_SECONDS)
    if protocol == "gs" and "requests_timeout" not in chosen:
        return {"requests_timeout": timeout}
    if protocol == "http" and "client_kwargs" not in chosen:
        return {"client_kwargs": {"timeout": timeout}}
    return {}


def object_state(said: Mapping[str, Any], now: float) -> str | None:
    """What changes with the content of an object, as a listing says it.

    Versions and checksums are taken as they are, with the time of change where there is one. A time alone is taken once
    it is a while ago.

    Args:
        said: What the store says of it.
        now: Seconds since 1970, from before it was listed.

    Returns:
        Words; '' for a time that is too recent; None where nothing is said that would change.
    """
    if not isinstance(said.get("size"), int):
        return None
    known = {str(key).lower(): value for key, value in said.items() if value not in (None, "")}
    versions = [f"{key}={known[key]}" for key in _VERSIONS if key in known]
    times = [f"{key}={known[key]}" for key in _TIMES if key in known]
    if versions:
        return "; ".join([f"size={said['size']}", *versions, *times])
    when = [_seconds(known[key]) for key in _TIMES if key in known]
    if not when or None in when:
        return None
    if any(moment is not None and moment > now - _RECENT_SECONDS for moment in when):
        return ""
    return "; ".join([f"size={said['size']}", *times])


def _seconds(value: Any) -> float | None:
    """Seconds since 1970; None where it is no time."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def copy_state(said: Mapping[str, Any]) -> str:
    """What changes with a file that is copied as a whole; '' where nothing is said that does.

    When it was made counts, too: ``memory://`` says nothing else, and makes a file anew whenever it is written.
    """
    known = {str(key).lower(): value for key, value in said.items()}
    parts = [f"{key}={known[key]}" for key in (*_VERSIONS, *_TIMES, "created") if known.get(key) is not None]
    return "; ".join([f"size={said.get('size')}", *parts]) if parts else ""


def _codes(error: BaseException) -> Iterator[str]:
    """What an error and its causes are called: classes, status of HTTP, codes of S3."""
    cause: BaseException | None = error
    while cause is not None:
        yield type(cause).__name__
        response = getattr(cause, "response", None)
        if isinstance(response, Mapping):
            yield str(response.get("Error", {}).get("Code"))
        for one in (cause, response):
            # The first alone: aiohttp warns of the others.
            yield next(
                (str(getattr(one, name)) for name in ("status", "status_code", "code") if hasattr(one, name)), ""
            )
        cause = cause.__cause__


def is_of_account(error: BaseException) -> bool:
    """Whether a store refused who asks, and not what is asked for."""
    return not _ACCOUNT.isdisjoint(_codes(error))


def is_refused(error: BaseException) -> bool:
    """Whether a store refused who asks, or what is asked for."""
    if not _REFUSED.isdisjoint(_codes(error)):
        return True
    # Of a file that is not there, nothing but its name is said.
    said = "" if isinstance(error, FileNotFoundError) else words(error).lower()
    return any(word in said for word in _REFUSED_WORDS)


def is_away(error: BaseException) -> bool:
    """Whether a store did not answer, so that asking for anything else would be in vain."""
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    said = f"{type(error).__name__} {error}".lower()
    return any(word in said for word in _AWAY)


def explained(error: Exception, url: str) -> SourceError:
    """What went wrong, in words, and what to do."""
    if is_refused(error):
        places = _CREDENTIALS.get(_kind(url), "in the environment or in fsspec's configuration")
        # Some clients take a refusal for a file that is not there.
        cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ is not None else error
        return SourceError(
            f"access is refused: {words(cause)}", where=url, hint=f"look at the credentials that are found: {places}"
        )
    if isinstance(error, FileNotFoundError):
        return SourceError("there is nothing at this URL", where=url, hint="look at its path")
    if is_away(error):
        return SourceError(
            f"the store does not answer: {words(error)}",
            where=url,
            hint="look at the network and the endpoint",
        )
    return SourceError(f"cannot be read: {words(error)}", where=url)


def words(error: BaseException) -> str:
    """What an error is and its first line."""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _package(protocol: str) -> str:
    known = {"s3": "s3fs", "gs": "gcsfs", "http": "aiohttp and requests"}
    known |= {"az": "adlfs", "hf": "huggingface_hub", "sftp": "paramiko"}
    return known.get(protocol, f"the package that fsspec names for {protocol}")
