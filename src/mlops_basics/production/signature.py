"""Whose release it is: detached Ed25519 signatures of the manifests.

A public key is one line of text, ``ed25519:`` and its 32 bytes in Base64, in a file or in
globals.yml itself. A private key is a PEM file of the machine that publishes. What is signed names
the store and the model beside the manifest, so that a release of a test store is none of another.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kedro.utils import find_kedro_project

from mlops_basics.errors import ConfigurationError, ReleaseError
from mlops_basics.production.release_check import MANIFEST, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_FILE = "signing_key.pem"
PUBLIC_FILE = "signing_key.pub"
_PREFIX = "ed25519:"
_PEM = "-----BEGIN"


@dataclass(frozen=True)
class Signatures:
    """The keys that are configured; without any, nothing is signed and nothing is refused.

    Attributes:
        signing_key: Path of the private key, or None. It is read only to sign, and to derive the
            public key where there is no ``verify_key``.
        verify_key: A public key, the path of a file that holds one, or several of these, or None.
    """

    signing_key: str | None = None
    verify_key: str | Sequence[str] | None = None

    @property
    def required(self) -> bool:
        """Whether a release needs a signature."""
        return self.signing_key is not None or self.verify_key is not None

    def sign(self, manifest: bytes) -> bytes | None:
        """The signature of a manifest's bytes as one line; None where none is required.

        Raises:
            ConfigurationError: If there is no usable private key, or scorers would refuse it.
        """
        if self.signing_key is None:
            if self.required:
                raise ConfigurationError(
                    "A release must be signed, since `verify_key` is set, but there is no "
                    "`signing_key` to sign it with. Name the private key's file in globals.yml, or "
                    "publish from a machine that has it."
                )
            return None
        private = _read_private(self.signing_key)
        public = _public_text(private)
        if public not in self._accepted():
            raise ConfigurationError(
                f"The public key of `signing_key` ({public}) is not in `verify_key`: "
                "scorers would refuse the release. Add it to `verify_key` in globals.yml."
            )
        return base64.b64encode(private.sign(manifest)) + b"\n"

    def check(self, manifest: bytes, signature: bytes | None) -> None:
        """Refuse a manifest that none of the accepted keys has signed.

        Args:
            manifest: What ``manifest.json`` holds.
            signature: What ``manifest.sig`` holds; None: there is none.

        Raises:
            ReleaseError: If the signature is missing, or another one.
            ConfigurationError: If a key cannot be read.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if not self.required:
            return
        accepted = self._accepted()
        if signature is None:
            raise ReleaseError(f"'{MANIFEST}' is not signed: there is no '{SIGNATURE}'.")
        try:
            plain = base64.b64decode(signature.strip(), validate=True)
        except binascii.Error as error:
            raise ReleaseError(f"'{SIGNATURE}' is not readable as a signature.") from error
        for key in accepted:
            try:
                Ed25519PublicKey.from_public_bytes(_public_bytes(key)).verify(plain, manifest)
            except InvalidSignature:
                continue
            return
        raise ReleaseError(
            f"'{SIGNATURE}' is no signature of '{MANIFEST}' by a key of `verify_key`: one of the "
            "two was changed, or somebody else signed it, or it was signed for another store (the "
            "address in `production`) or model."
        )

    def _accepted(self) -> list[str]:
        """The public keys, as text."""
        if self.verify_key is None:
            assert self.signing_key is not None  # noqa: S101 (only asked where one is required)
            return [_public_text(_read_private(self.signing_key))]
        named = [self.verify_key] if isinstance(self.verify_key, str) else list(self.verify_key)
        if not named:
            raise ConfigurationError(
                "`verify_key` in globals.yml is an empty list, which accepts no release. Name a "
                "public key, or write null to accept releases without a signature."
            )
        return [_read_public(each) for each in named]


def store_name(root: str) -> str:
    """What signatures call a store: its address.

    A folder of the project counts by its place in it, so that a project may be moved.
    """
    store, project = root.rstrip("/"), find_kedro_project(Path.cwd())
    if "://" not in store and project is not None and Path(store).is_relative_to(project):
        store = Path(store).relative_to(project).as_posix()
    return store


def signed_content(store: str, model_name: str, manifest: bytes) -> bytes:
    """What the signature of a release is made of.

    Args:
        store: Name of the store.
        model_name: Name of the model.
        manifest: What ``manifest.json`` holds.
    """
    return json.dumps({"store": store, "model": model_name}).encode() + b"\n" + manifest


def make_key_pair(folder: Path) -> tuple[Path, Path, str]:
    """Make a private key that its owner alone can read, and its public key beside it.

    Args:
        folder: Where the two files go; it is made where it is missing.

    Returns:
        The private key's file, the public key's, and the public key.

    Raises:
        ConfigurationError: If there is a key already; none is ever overwritten.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private, public = folder / PRIVATE_FILE, folder / PUBLIC_FILE
    folder.mkdir(parents=True, exist_ok=True)
    if public.exists() and not private.exists():
        raise ConfigurationError(
            f"There is the public key of another pair, and none is ever overwritten: {public}. "
            "Move it away, too, and keep it in `verify_key` as long as its releases may be needed."
        )
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(
            f"There is a key already, and none is ever overwritten: {private}. Its public key is "
            f"{_public_text(_read_private(str(private)))}. For a new pair move both "
            "files away first, and keep the public key in `verify_key` as long as its releases may "
            "be needed."
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    text = _public_text(key)
    public.write_text(f"{text}\n", encoding="ascii")
    return private, public, text


def _public_text(private: Ed25519PrivateKey) -> str:
    return _PREFIX + base64.b64encode(private.public_key().public_bytes_raw()).decode()


def _public_bytes(text: str) -> bytes:
    return base64.b64decode(text.removeprefix(_PREFIX))


def _read_private(path: str) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content("signing_key", path)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"`signing_key` names '{path}', which is no private key in PEM without a password. "
            "Make one with `kedro keygen`."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"`signing_key` names '{path}', which is a key of another kind. Make an Ed25519 key "
            "with `kedro keygen`."
        )
    return key


def _read_public(named: str) -> str:
    """A public key in its one spelling, from its text or from a file."""
    text, place = str(named).strip(), "holds a key"
    if not text.startswith(_PREFIX):
        content = _content("verify_key", text)
        text, place = content.decode("ascii", errors="replace").strip(), f"names '{text}'"
    if "PRIVATE KEY" in text:
        raise ConfigurationError(
            f"`verify_key` {place}, which is a private key. Who scores needs the public key "
            f"alone: {PUBLIC_FILE}, which `kedro keygen` writes beside it."
        )
    try:
        plain = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        plain = b""
    if not text.startswith(_PREFIX) or len(plain) != 32:
        raise ConfigurationError(
            f"`verify_key` {place} that is no public key: it must be one line, {_PREFIX} and 44 "
            "characters, as `kedro keygen` prints it."
        )
    return _PREFIX + base64.b64encode(plain).decode()


def _content(option: str, path: str) -> bytes:
    """What a key's file holds; a path is relative to the project, wherever the command runs."""
    if _PEM in path:  # not shown: it may be the secret itself
        raise ConfigurationError(
            f"`{option}` in globals.yml holds the text of a key. Name the path of its file."
        )
    file = (find_kedro_project(Path.cwd()) or Path.cwd()) / path
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"`{option}` in globals.yml names '{path}', which cannot be read ({reason}). "
            "`kedro keygen` makes a pair of keys."
        ) from error
