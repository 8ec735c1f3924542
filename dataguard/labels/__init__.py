"""The mathematics of label quality: out-of-sample probabilities, the noise rate, and which labels are wrong."""

ALGORITHM_VERSION = "1"
"""Part of the key that out-of-sample probabilities are cached under; changed whenever they would come out otherwise."""
