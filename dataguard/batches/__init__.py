"""What a training loop is really fed: the stream of batches that a loader yields, recorded without its data."""
