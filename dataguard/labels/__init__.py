"""The mathematics of label quality: out-of-sample probabilities, the noise rate, and which labels are wrong."""
