"""Branches that leave the program: who gets to what comes after them did not take them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_ENTRY = """
    import argparse, sys
    import cv2
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=None)
    args = parser.parse_args()
    if args.size is None:
        print("a size is needed")
        {leave}
    else:
        image = cv2.resize(cv2.imread("a.png"), (64, 32))
        model(image / 255.0)
    """


@pytest.mark.parametrize("leave", ["exit()", "sys.exit(1)", "quit()", "raise SystemExit"])
def test_a_branch_that_says_something_and_leaves_is_not_taken(tmp_path: Path, leave: str) -> None:
    path = only(reading(tmp_path, {"predict.py": _ENTRY.format(leave=leave)}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_the_state_of_a_branch_that_leaves_does_not_go_on(tmp_path: Path) -> None:
    script = """
        import sys
        import cv2
        image = cv2.imread("a.png")
        if image.mean() > unknown():
            image = image[:, :, ::-1]
            exit()
        model(image / 255.0)
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.order == "BGR"


def test_work_that_ends_with_leaving_is_followed(tmp_path: Path) -> None:
    script = """
        import sys
        import cv2

        def main():
            model(cv2.imread("a.png") / 255.0)

        if __name__ == "__main__":
            main()
            sys.exit(0)
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.order == "BGR"
    again = script.replace("    main()\n            sys.exit(0)", "    sys.exit(main())")
    assert "sys.exit(main())" in again
    assert only(reading(tmp_path, {"predict.py": again})).pipeline.order == "BGR"


def test_what_was_restored_is_there_where_else_nothing_goes_on(tmp_path: Path) -> None:
    script = """
        import os
        import cv2
        start = 0
        for epoch in range(99, -1, -1):
            if os.path.isfile(f"{epoch}.pt"):
                start = epoch + 1
                break
        if start == 0:
            assert False, "could not resume"
        model(2 * (cv2.imread("a.png") / 255.0) - 1)
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.affine.offset == (-1.0,)
