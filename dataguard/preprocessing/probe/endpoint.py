"""A service that is asked over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np

from dataguard.core.errors import ConfigurationError
from dataguard.preprocessing.probe.asking import ProbeError, Takes
from dataguard.preprocessing.probe.child import unpacked
from dataguard.preprocessing.probe.function import Limits


class Endpoint:
    """A service that takes a picture by POST and answers with an array: a .npy file, or JSON.

    Raises:
        ConfigurationError: the address is none of HTTP.
    """

    takes: Takes | None = "bytes"

    def __init__(self, url: str, *, limits: Limits | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError("not an address of HTTP", where=url, hint="begin it with http:// or https://")
        self.url = url
        self.limits = limits or Limits()
        self.fatal: ProbeError | None = None

    def __call__(self, given: bytes) -> object:
        """What the service answers to a file.

        Raises:
            ProbeError: it does not answer, answers with an error, or with no array.
        """
        if self.fatal is not None:
            raise self.fatal
        kind = "image/jpeg" if given[:2] == b"\xff\xd8" else "image/png"
        request = urllib.request.Request(self.url, data=given, headers={"Content-Type": kind}, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self.limits.timeout) as response:  # noqa: S310
                content: bytes = response.read()
        except urllib.error.HTTPError as error:
            said = error.read(300).decode(errors="replace").strip()
            raise ProbeError(
                f"the service answered {error.code} {error.reason}" + (f": {said}" if said else ""), where=self.url
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            self.fatal = ProbeError(
                f"the service cannot be reached: {reason}", where=self.url, hint="is it running, and the address right?"
            )
            raise self.fatal from error
        if content[:6] == b"\x93NUMPY":
            try:
                return unpacked(content)
            except (ValueError, OSError, EOFError) as error:
                raise ProbeError(f"the service answered with a broken .npy file: {error}", where=self.url) from error
        try:
            found = json.loads(content)
        except ValueError as error:
            raise ProbeError(
                "the service answered with neither a .npy file nor JSON",
                where=self.url,
                hint="let it return the tensor that the model is fed",
            ) from error
        return _numbers(found, self.url)

    def close(self) -> None:
        """Nothing to do."""


def _numbers(found: object, where: str) -> object:
    """The array in JSON: nested lists, or the only such value of an object."""
    if isinstance(found, dict):
        lists = {key: value for key, value in found.items() if isinstance(value, list)}
        if len(lists) == 1:
            found = next(iter(lists.values()))
        else:
            return {key: _numbers(value, where) for key, value in lists.items()}
    try:
        # JSON does not say how wide its numbers are; models are fed float32.
        array = np.asarray(found)
        return array.astype(np.float32) if array.dtype.kind == "f" else array
    except ValueError as error:
        raise ProbeError("the lists in the answer are of different lengths", where=where) from error
