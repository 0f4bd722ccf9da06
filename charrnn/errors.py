"""What can go wrong by a user's doing, as exceptions whose text is the one line that the user reads.

CharRNNError            exit status 1
├── UsageError          exit status 2: an option, or a combination of them, makes no sense
│   └── DeviceError         a device is missing or cannot compute; differs between processes of one training
├── TextError           a text cannot be found, read or used
├── CheckpointError     a checkpoint cannot be found, read, written or used
├── ProcessError        another process of the same training is gone
├── RecordingError      a GPU failed while it recorded a CUDA graph
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


class DeviceError(UsageError):
    """A device is missing or cannot compute. Each process of a training may have another one, so each says it."""


class TextError(CharRNNError):
    """A text cannot be found, read or used."""


class CheckpointError(CharRNNError):
    """A checkpoint cannot be found, read, written or used."""


class ProcessError(CharRNNError):
    """Another process of the same training is gone."""


class RecordingError(CharRNNError):
    """A GPU failed while it recorded a CUDA graph. PyTorch's CUDA state is unreliable afterwards: end the process."""


class ModelError(CharRNNError):
    """A model cannot do what is asked of it."""


class DivergedError(ModelError):
    """A training's loss is no number, or far beyond chance."""


OUT_OF_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED")
"""PyTorch raises RuntimeError for it, with one of these in the message: the CPU, CUDA, cuBLAS and cuDNN."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the memory of the machine or of its GPU is full."""
    said = isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)
    return said or isinstance(error, MemoryError)
