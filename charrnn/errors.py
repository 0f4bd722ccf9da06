"""What can go wrong by a user's doing, as exceptions whose text is the one line that the user reads.

CharRNNError            exit status 1
├── UsageError          exit status 2: an option, or a combination of them, makes no sense
├── TextError           a text cannot be found, read or used
├── CheckpointError     a checkpoint cannot be found, read, written or used
├── ProcessError        another process of the same training is gone
└── ModelError          a model cannot do what is asked of it
    └── DivergedError       a training's loss is no number, or far beyond chance

Each message names the thing and the next step. Anything else that escapes is a bug, and shows its traceback.
"""


class CharRNNError(Exception):
    """A mistake that the user can mend; `str(error)` says how, in one line."""

    exit_status = 1


class UsageError(CharRNNError):
    """The command line, or the settings of a library call, make no sense."""

    exit_status = 2


class TextError(CharRNNError):
    """A text cannot be found, read or used."""


class CheckpointError(CharRNNError):
    """A checkpoint cannot be found, read, written or used."""


class ProcessError(CharRNNError):
    """Another process of the same training is gone."""


class ModelError(CharRNNError):
    """A model cannot do what is asked of it."""


class DivergedError(ModelError):
    """A training's loss is no number, or far beyond chance."""
