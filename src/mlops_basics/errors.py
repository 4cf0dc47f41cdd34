"""The errors this project raises on purpose: each names what is wrong, where, and what to do."""


class MlopsError(Exception):
    """Base of the family; the command line prints its message alone, without a traceback."""


class ConfigurationError(MlopsError):
    """A parameter, a configuration file or a command line option cannot be used."""


class DataError(MlopsError):
    """A table cannot be used: the message names file, column or line, and the remedy."""


class LineageError(MlopsError):
    """The versions a run would load do not belong together."""


class StorageError(MlopsError):
    """A disk, an object store or the way to it does not do what is asked of it."""


class ClusterError(MlopsError):
    """A Dask cluster, or the way to it, does not do what is asked of it."""


class ReleaseError(MlopsError):
    """A release is refused: it is damaged, missing, not to be trusted, or cannot be published."""


class ConflictError(MlopsError):
    """Another process was faster; the decision no longer holds."""


class VersionTakenError(ConflictError):
    """Another run has the same version; nothing was written under it."""


def own_error(error: BaseException | None) -> MlopsError | None:
    """The first of our own errors that an error came from, itself included; None without one."""
    while error is not None and not isinstance(error, MlopsError):
        error = error.__cause__ or error.__context__
    return error
