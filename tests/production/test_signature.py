"""Tests of signed releases: with a key, those without an accepted signature are refused."""

from __future__ import annotations

import base64
import shutil
import stat
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from mlops_basics.commands.rollback import rollback
from mlops_basics.datasets import ProductionDataset, ReleaseDataset
from mlops_basics.errors import ConfigurationError, ReleaseError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.production.signature import Signatures, make_key_pair, signed_content, store_name
from mlops_basics.storage.store_files import StoreFiles
from tests.support.releases import (
    NAME,
    TRUSTED,
    MemoryRegistry,
    make_manifest,
    publish,
)

MANIFEST = b'{"version": "1"}'
SIGNATURE_FILE = "releases/1/manifest.sig"
NOW = "2026-01-01"


@pytest.fixture
def keys(tmp_path):
    """Two key pairs, ours and another one: each the private key's path and the public key."""
    pairs = {}
    for name in ("ours", "theirs"):
        private, _, text = make_key_pair(tmp_path / name)
        pairs[name] = (str(private), text)
    return pairs


def test_a_key_pair_is_private_and_never_overwritten(tmp_path):
    """Its owner alone reads the private key; a second call changes nothing and names the first."""
    private, public, text = make_key_pair(tmp_path / "conf" / "local")
    before = private.read_bytes()
    assert before.startswith(b"-----BEGIN PRIVATE KEY-----")
    if sys.platform != "win32":
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public.read_text(encoding="ascii").strip() == text
    with pytest.raises(ConfigurationError, match="none is ever overwritten") as refused:
        make_key_pair(tmp_path / "conf" / "local")
    assert text in str(refused.value)
    assert private.read_bytes() == before
    assert public.read_text(encoding="ascii").strip() == text
    private.rename(tmp_path / "kept.pem")
    with pytest.raises(ConfigurationError, match=r"public key of another pair.*signing_key\.pub"):
        make_key_pair(tmp_path / "conf" / "local")
    assert public.read_text(encoding="ascii").strip() == text
    assert not private.exists()


def test_without_keys_nothing_is_signed_or_refused():
    """Without keys any signature is ignored."""
    none = Signatures()
    assert none.sign(MANIFEST) is None
    none.check(MANIFEST, None)
    none.check(MANIFEST, b"nonsense")


def test_a_signature_is_checked_by_the_public_key_alone(keys):
    """The public key may be text, a file or derived; equal bytes have equal signatures."""
    private, public = keys["ours"]
    signature = Signatures(private).sign(MANIFEST)
    assert signature == Signatures(private, public).sign(MANIFEST)
    file = private.replace(".pem", ".pub")
    for verify in (public, f" {public}\n", file, [public], [file]):
        Signatures(None, verify).check(MANIFEST, signature)
    Signatures(private).check(MANIFEST, signature)
    # Checking needs no private key, also where the same globals.yml names one.
    Signatures("nowhere.pem", public).check(MANIFEST, signature)


@pytest.mark.parametrize("change", ["manifest", "signature", "cut", "longer"])
def test_what_was_changed_is_refused(change, keys):
    """A bit of the manifest or of the signature, or another length."""
    private, public = keys["ours"]
    manifest, signature = MANIFEST, base64.b64decode(Signatures(private).sign(MANIFEST))
    if change == "manifest":
        manifest = manifest.replace(b"1", b"2")
    else:
        flipped = bytes([signature[0] ^ 1]) + signature[1:]
        changed = {"signature": flipped, "cut": signature[:-1], "longer": signature + b"\0"}
        signature = changed[change]
    with pytest.raises(ReleaseError, match=r"'manifest\.sig' is no signature of"):
        Signatures(None, public).check(manifest, base64.b64encode(signature))


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (None, r"is not signed: there is no 'manifest\.sig'"),
        (b"", "is no signature of"),
        (b"not base64!", "is not readable as a signature"),
        (b"\xff\xfe", "is not readable as a signature"),
    ],
)
def test_no_signature_is_refused(signature, message, keys):
    """A missing, an empty and a damaged signature are refused."""
    with pytest.raises(ReleaseError, match=message):
        Signatures(None, keys["ours"][1]).check(MANIFEST, signature)


def test_keys_are_rotated(keys):
    """With both in the list, what either has signed is accepted; without the old one it is not."""
    (old, old_public), (new, new_public) = keys["ours"], keys["theirs"]
    both = [new_public, old_public]
    for private in (old, new):
        Signatures(None, both).check(MANIFEST, Signatures(private, both).sign(MANIFEST))
    with pytest.raises(ReleaseError, match="somebody else signed it"):
        Signatures(None, new_public).check(MANIFEST, Signatures(old).sign(MANIFEST))


def test_a_release_that_scorers_would_refuse_is_not_signed(keys):
    """A publisher with another key, or with none, gets an error before anything is stored."""
    with pytest.raises(ConfigurationError, match=r"not in `verify_key`.*would refuse"):
        Signatures(keys["theirs"][0], keys["ours"][1]).sign(MANIFEST)
    with pytest.raises(ConfigurationError, match="there is no `signing_key` to sign it with"):
        Signatures(None, keys["ours"][1]).sign(MANIFEST)


def rsa_key():
    """A private key of another kind."""
    return generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_keys_that_cannot_be_used_are_named(keys, tmp_path):
    """Missing, of another kind, no key at all; no configuration stands for "no check"."""
    (tmp_path / "rsa.pem").write_bytes(rsa_key())
    (tmp_path / "noise").write_bytes(b"\xff\x00")
    cases = [
        (Signatures(str(tmp_path / "gone.pem")), "`signing_key` .* cannot be read"),
        (Signatures(str(tmp_path / "rsa.pem")), "a key of another kind"),
        (Signatures(str(tmp_path / "noise")), "no private key in PEM"),
        (Signatures(None, str(tmp_path / "gone.pub")), "`verify_key` .* cannot be read"),
        (Signatures(None, str(tmp_path / "noise")), "no public key"),
        (Signatures(None, "ed25519:AAAA"), "no public key"),
        (Signatures(None, "ed25519:!"), "no public key"),
        (Signatures(None, ""), "cannot be read"),
        (Signatures(None, []), "an empty list"),
    ]
    for signatures, message in cases:
        with pytest.raises(ConfigurationError, match=message):
            signatures.check(MANIFEST, base64.b64encode(b"x" * 64))


def test_a_private_key_is_never_shown(keys, tmp_path):
    """Written where a public key or a path belongs, it is refused without being repeated."""
    pem = (tmp_path / "ours" / "signing_key.pem").read_text(encoding="ascii")
    secret = pem.splitlines()[1]
    for signatures in (
        Signatures(pem),
        Signatures(None, pem),
        Signatures(None, str(tmp_path / "ours" / "signing_key.pem")),
    ):
        with pytest.raises(ConfigurationError) as refused:
            signatures.check(MANIFEST, None)
        assert secret not in str(refused.value)
        assert secret not in repr(refused.value.__cause__)


def store_with(root, signing_key=None, verify_key=None):
    """A store with these keys."""
    return ReleaseStore(root, NAME, TRUSTED, signatures=Signatures(signing_key, verify_key))


def uses(store, target):
    """Everything that reads a release."""
    return (
        lambda: store.verify("1"),
        lambda: store.load("1"),
        lambda: store.load(),
        lambda: store.fetch("1", target),
        lambda: store.fetch(None, target),
        lambda: store.point("1", store.pointer(), NOW),
    )


@pytest.mark.slow
def test_a_signed_release_is_used_with_the_public_key_alone(root, small, keys, tmp_path):
    """It is verified, loaded and fetched; without a key it is read as before."""
    private, public = keys["ours"]
    publish(store_with(root, private), small, "1")
    shutil.rmtree(tmp_path / "ours")
    for reader in (store_with(root, None, public), store_with(root)):
        assert reader.load().table.target == "answer"
        assert reader.verify("1").version == "1"
    store_with(root, None, public).fetch(None, tmp_path / "copy")
    assert (tmp_path / "copy" / "manifest.sig").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["unsigned", "theirs", "removed", "of another", "endless"])
def test_a_release_without_our_signature_is_refused(case, root, small, keys, tmp_path):
    """It is refused by every function that reads a model, before one is loaded."""
    private, public = keys["ours"]
    signer = {"unsigned": None, "theirs": keys["theirs"][0]}.get(case, private)
    publish(store_with(root, signer), small, "1")
    files = StoreFiles(f"{root}/{NAME}")
    message = "is not signed"
    if case == "theirs":
        message = "somebody else signed it"
    elif case == "removed":
        files.remove(SIGNATURE_FILE)
    elif case == "of another":
        publish(store_with(root, private), small, "2")
        files.write(SIGNATURE_FILE, files.read("releases/2/manifest.sig"))
        store_with(root).point("1", store_with(root).pointer(), NOW)
        message = "is no signature of"
    elif case == "endless":
        files.write(SIGNATURE_FILE, b"A" * 300)
        message = "300 bytes, which no signature needs"
    for use in uses(store_with(root, None, public), tmp_path / "copy"):
        with pytest.raises(ReleaseError, match=message):
            use()
    assert not (tmp_path / "copy").exists()


@pytest.mark.slow
def test_a_release_of_before_the_key_is_signed_by_publishing_it_again(root, small, keys):
    """The same content, from the registry: only its signature is new."""
    private, public = keys["ours"]
    publish(store_with(root), small, "1")
    before = StoreFiles(f"{root}/{NAME}").read("releases/1/manifest.json")
    store_with(root, private).upload(small, make_manifest("1"))
    assert StoreFiles(f"{root}/{NAME}").read("releases/1/manifest.json") == before
    assert store_with(root, None, public).load().table.target == "answer"
    # Mending a damaged file without a key leaves the signature in place.
    StoreFiles(f"{root}/{NAME}").write("releases/1/table_info.json", b"{}")
    store_with(root).upload(small, make_manifest("1"), mend=True)
    assert store_with(root, None, public).load().table.target == "answer"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["another store", "another model"])
def test_a_release_of_a_test_store_is_not_good_in_production(where, small, keys, tmp_path):
    """The same key, the same bytes: the signature names the store and the model it is for."""
    private, public = keys["ours"]
    test, real = tmp_path / "test", tmp_path / "real"
    publish(store_with(str(test), private), small, "1")
    assert store_with(str(test), None, public).verify("1")
    name = NAME if where == "another store" else "another"
    shutil.copytree(test / NAME, (real if where == "another store" else test) / name)
    root = str(real) if where == "another store" else str(test)
    reader = ReleaseStore(root, name, TRUSTED, signatures=Signatures(None, public))
    with pytest.raises(ReleaseError, match="it was signed for another store"):
        reader.load()


def test_a_project_that_is_moved_keeps_its_signatures(tmp_path, monkeypatch):
    """A folder of the project is named by its place in it, an address as it is."""
    signed = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        text = "[tool.kedro]\npackage_name = 'x'\nproject_name = 'x'\nkedro_init_version = '1'\n"
        (tmp_path / place / "pyproject.toml").write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path / place)
        signed.append(
            signed_content(store_name(f"{tmp_path / place}/data/production"), NAME, b"{}")
        )
    assert signed == [b'{"store": "data/production", "model": "flowers"}\n{}'] * 2
    assert store_name("s3://bucket/a/") == "s3://bucket/a"


@pytest.mark.slow
def test_a_publisher_that_cannot_sign_stores_nothing(root, small, keys):
    """If a signature is required, nothing is stored without a key to sign with."""
    store = store_with(root, None, keys["ours"][1])
    with pytest.raises(ConfigurationError, match="must be signed"):
        store.upload(small, make_manifest("1"))
    assert store.versions() == []


@pytest.mark.slow
def test_a_rollback_to_another_ones_release_is_refused(root, small, keys):
    """Production and the registry's champion stay where they are."""
    private, public = keys["ours"]
    publish(store_with(root, keys["theirs"][0]), small, "1")
    publish(store_with(root, private), small, "2")
    registry = MemoryRegistry(["1", "2"], {"champion": "2", "previous": "1"})
    store = store_with(root, None, public)
    with pytest.raises(ReleaseError, match="somebody else signed it"):
        rollback(store, registry, None, "try", "tests", NOW)
    assert (store.pointer().version, registry.champion()) == ("2", "2")


@pytest.mark.slow
def test_the_catalog_entries_hand_the_keys_on(small, keys, tmp_path):
    """Publishing signs, and production is read with the public key alone."""
    private, public = keys["ours"]
    root = str(tmp_path / "store")
    arguments = {"production": root, "model_name": NAME, "trusted_types": TRUSTED}
    release = ReleaseDataset(
        filepath=str(tmp_path / "release.json"), signing_key=private, **arguments
    )
    publish(release.store, small, "1")
    assert ProductionDataset(verify_key=public, **arguments).load().manifest.version == "1"
    with pytest.raises(Exception, match="somebody else signed it"):
        ProductionDataset(verify_key=[keys["theirs"][1]], **arguments).load()
