"""Training state: checkpoints, resuming, and initial weights from another checkpoint."""
