"""DG509: a Dockerfile starts from a name that may mean another image tomorrow."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Edit, Location, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import BaseImage, DeclaredEnvironment
from dataguard.environment.images import LocalImages, image_name


@rule("DG509", "base-image-not-by-digest", Severity.WARNING)
def base_image_not_by_digest(declared: DeclaredEnvironment, images: LocalImages | None) -> Iterator[Outcome]:
    r"""A Dockerfile takes its base image by a tag, which may be moved, and not by its digest.

    ## What it does

    Reads every `FROM` of every Dockerfile, with the defaults of `ARG` filled in.

    ## Why is this bad?

    A tag is a label that the publisher moves: `python:3.11` is another image each month, with another libjpeg, glibc
    and Python. `latest`, or no tag, may be another release altogether. NVIDIA removes old CUDA images, so that the tag
    of a paper's Dockerfile no longer exists.

    ## How it decides

    - No finding for `name@sha256:…`, `scratch`, and the name of an earlier stage.
    - WARNING for `latest` or no tag.
    - INFO for a tag with a version in it.
    - INFO, of low confidence, for an `ARG` without a default: whoever builds decides.

    No statistics and no threshold.

    ## Example

    >>> from dataguard.environment.files.dockerfile import parse_dockerfile
    >>> file = parse_dockerfile("FROM python:3.11-slim AS build\nFROM build\n", "Dockerfile")
    >>> finding = base_image_not_by_digest(DeclaredEnvironment(root="/project", files=(file,)), None)[0]
    >>> print(finding.message)
    The image python:3.11-slim is taken by its tag: the publisher may give another image under it.

    ## How to fix

    `--fix` writes the digest of an image that Docker on this machine has by that tag, or that another Dockerfile of the
    project names; `--diff` shows it first. By hand: `docker pull python:3.11-slim`, then

        docker inspect --format '{{index .RepoDigests 0}}' python:3.11-slim

    and write `FROM python:3.11-slim@sha256:…`; the tag may stay, for people to read. Renovate and Dependabot renew
    digests.

    ## References

    - [Docker, pin base image versions](https://docs.docker.com/build/building/best-practices/#pin-base-image-versions).
    """
    found = [image for file in declared.files for image in file.images]
    if not any(file.kind == "Dockerfile" for file in declared.files):
        yield Skipped(reason="the project has no Dockerfile")
        return
    known = {image_name(image): image.digest for image in found if image.digest and image.tag}
    known |= {} if images is None else images.digests
    for image in found:
        if not image.digest:
            yield _finding(declared, image, known.get(image_name(image), ""))
    yield Observation(
        message=f"{sum(bool(image.digest) for image in found)} of {len(found)} base images are taken by digest."
    )


def _finding(declared: DeclaredEnvironment, image: BaseImage, digest: str) -> Outcome:
    name = image.image + (f":{image.tag}" if image.tag else "")
    severity, confidence = Severity.INFO, Confidence.HIGH
    if image.unresolved:
        message = f"Which image {name} is, whoever builds decides."
        confidence = Confidence.LOW
    elif image.tag in ("", "latest"):
        severity = Severity.WARNING
        how = "without a tag" if not image.tag else "as latest"
        message = f"The image {name} is taken {how}: the next build may start from another release."
    else:
        message = f"The image {name} is taken by its tag: the publisher may give another image under it."
    fixed = image.written.replace(name, f"{name}@{digest or 'sha256:DIGEST'}", 1)
    # A name made of variables does not stand in the file as it is.
    exact = bool(digest) and not image.unresolved and f" {name}" in image.written
    return base_image_not_by_digest.finding(
        message,
        remedy=f"Write `{fixed}`"
        + ("." if digest else f"; `docker inspect --format '{{{{index .RepoDigests 0}}}}' {name}` tells the digest."),
        severity=severity,
        confidence=confidence,
        locations=(Location(path=declared.shown(image.path), line=image.line, note=image.written),),
        edits=(Edit(path=declared.shown(image.path), line=image.line, old=name, new=f"{name}@{digest}"),)
        if exact
        else (),
        key=(image.path, image.image),
    )
