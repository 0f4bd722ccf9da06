"""Errors caused by user input or by the machine; the message is the one line that the user reads.

CharRNNError            exit status 1
├── UsageError          exit status 2: an option, or a combination of options, is invalid
│   └── DeviceError         a device is missing or cannot compute
├── TextError           a text cannot be found, read or used
├── CheckpointError     a checkpoint cannot be found, read, written or used
├── ProcessError        another process of the same run has exited
├── CaptureError        a GPU failed while it captured a CUDA graph
└── ModelError          a model cannot be used as requested
    └── DivergedError       the training loss is NaN, or far worse than chance

Each message has the form "X: what is wrong; try Y". Any other exception is a bug, and prints its traceback.
"""


class CharRNNError(Exception):
    """Base class of errors caused by user input or by the machine; `str(error)` is one line that ends with advice."""

    exit_status = 1


class UsageError(CharRNNError):
    """Options, or the arguments of a library call, are invalid or cannot be combined."""

    exit_status = 2


class DeviceError(UsageError):
    """A device is missing or cannot compute. Each process of a run prints this error, because devices differ."""


class TextError(CharRNNError):
    """A text cannot be found, read or used."""


class CheckpointError(CharRNNError):
    """A checkpoint cannot be found, read, written or used."""


class ProcessError(CharRNNError):
    """Another process of the same run has exited."""


class CaptureError(CharRNNError):
    """A GPU failed while it captured a CUDA graph. PyTorch's CUDA state is unreliable afterwards: exit the process."""


class ModelError(CharRNNError):
    """A model cannot be used as requested."""


class DivergedError(ModelError):
    """The training loss is NaN, or far worse than chance."""


OUT_OF_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED")
"""Parts of PyTorch's RuntimeError messages about insufficient memory, from the CPU, CUDA, cuBLAS and cuDNN."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that the machine or its GPU is out of memory."""
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in OUT_OF_MEMORY)
    return isinstance(error, MemoryError)
