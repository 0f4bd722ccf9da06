"""Errors caused by user input, or by the machine; the message is the one line that the user reads.

CharRNNError            exit status 1
├── UsageError          exit status 2: an option, or a combination of options, is invalid
│   └── DeviceError         a device is missing or cannot compute
├── TextError           a text cannot be found, read or used
├── CheckpointError     a checkpoint cannot be found, read, written or used
├── ProcessError        another process of the same training is gone
├── CaptureError        a GPU failed while it captured a CUDA graph
└── ModelError          a model cannot do what is asked of it
    └── DivergedError       the training loss is NaN, or far worse than chance

Each message names the thing and the next step. Any other exception is a bug, and shows its traceback.
"""


class CharRNNError(Exception):
    """Base class of errors caused by user input or by the machine; `str(error)` is one line with the next step."""

    exit_status = 1


class UsageError(CharRNNError):
    """Options, or the arguments of a library call, are invalid or contradict each other."""

    exit_status = 2


class DeviceError(UsageError):
    """A device is missing or cannot compute. Devices differ between the processes of a training, so each prints it."""


class TextError(CharRNNError):
    """A text cannot be found, read or used."""


class CheckpointError(CharRNNError):
    """A checkpoint cannot be found, read, written or used."""


class ProcessError(CharRNNError):
    """Another process of the same training is gone."""


class CaptureError(CharRNNError):
    """A GPU failed while it captured a CUDA graph. PyTorch's CUDA state is unreliable afterwards: end the process."""


class ModelError(CharRNNError):
    """A model cannot do what is asked of it."""


class DivergedError(ModelError):
    """The training loss is NaN, or far worse than chance."""


OUT_OF_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED")
"""Parts of PyTorch's RuntimeError messages about memory, from the CPU, CUDA, cuBLAS and cuDNN."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the memory of the machine or of its GPU is full."""
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in OUT_OF_MEMORY)
    return isinstance(error, MemoryError)
