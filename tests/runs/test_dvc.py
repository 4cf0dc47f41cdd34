"""Tests of versions of raw data: hashes are DVC's own, and what was pushed comes back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from unittest.mock import Mock

import pytest

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.runs import dvc
from mlops_basics.runs.dvc import fetch, pull, push, source_version
from mlops_basics.schemas import SourceVersion
from tests.support.bombs import no_files
from tests.support.project import ROOT

STARTER = ROOT / "starter" / "{{ cookiecutter.repo_name }}"
MD5 = "0123456789abcdef0123456789abcdef.dir"


@pytest.fixture
def folder(tmp_path):
    """A git repository with a folder of batches, one of them deeper."""
    project = tmp_path / "project"
    batches = project / "data" / "batches"
    (batches / "more").mkdir(parents=True)
    (batches / "b.csv").write_text("x\n1\n")
    (batches / "a.csv").write_text("x\n2\n")
    (batches / "more" / "ü.csv").write_text("x\n3\n")
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    return project


@pytest.mark.parametrize("rules", [ROOT, STARTER], ids=["clone", "starter"])
def test_git_takes_what_dvc_writes_beside_a_table(tmp_path, rules):
    """DVC refuses to name a version in a file that git ignores; tables themselves are ignored."""
    shutil.copy(rules / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    tables = ["data/source/t.csv", "data/labels/t.csv"]
    pointers = [f"{each}.dvc" for each in (*tables, "data/labels", "data/source/t")]
    beside = [f"data/{each}.gitignore" for each in ("", "source/", "labels/")]
    command = ["git", "check-ignore", *tables, *pointers, *beside]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == tables


def test_without_a_pointer_there_is_no_version(tmp_path):
    """Without DVC there is no version, and nothing of DVC is imported."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert source_version(tmp_path / "a.csv") is None
    code = (
        "import sys; from pathlib import Path; "
        "from mlops_basics.runs.dvc import source_version; "
        f"source_version(Path({str(tmp_path / 'a.csv')!r})); sys.exit('dvc' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_hash_is_that_of_dvc(folder, tmp_path):
    """The hashes of a file and a folder are DVC's; a change of one byte is detected."""
    file = folder / "data" / "one.csv"
    file.write_text("x\n7\n")
    for path in (folder / "data" / "batches", file):
        push(folder, path, str(tmp_path / "remote"))
        version = source_version(path)
        assert version.unchanged
        assert version.md5 in path.with_name(f"{path.name}.dvc").read_text()
    file.write_text("x\n8\n")
    assert not source_version(file).unchanged
    (folder / "data" / "batches" / "c.csv").write_text("x\n4\n")
    assert not source_version(folder / "data" / "batches").unchanged


@pytest.mark.slow
def test_what_was_pushed_comes_back(folder, tmp_path):
    """Into a clone by pull; an old version beside the working copy by fetch."""
    batches = folder / "data" / "batches"
    message = push(folder, batches, str(tmp_path / "remote"))
    first = source_version(batches)
    # The list of the files is an object, too.
    sent = f"as version {first.md5}: 4 objects were sent to {tmp_path}/remote. Commit what"
    assert message.startswith(f"Pushed data/batches {sent}")
    assert "git add .dvc data/batches.dvc data/.gitignore" in message
    again = push(folder, batches, None)
    assert again == (
        f"data/batches is still version {first.md5}: {tmp_path}/remote has all of it already."
    )
    (batches / "c.csv").write_text("x\n4\n")
    push(folder, batches, None)
    assert source_version(batches).md5 != first.md5

    before = {file: file.read_bytes() for file in batches.rglob("*") if file.is_file()}
    found = fetch(folder, first, tmp_path / "scratch")
    assert sorted(file.name for file in found.rglob("*.csv")) == ["a.csv", "b.csv", "ü.csv"]
    assert {file: file.read_bytes() for file in batches.rglob("*") if file.is_file()} == before

    clone = tmp_path / "clone"
    for name in (".dvc/config", "data/batches.dvc"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((folder / name).read_bytes())
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    pull(clone, clone / "data" / "batches")
    assert (clone / "data" / "batches" / "c.csv").read_text() == "x\n4\n"


@pytest.mark.parametrize("place", ["file", "folder", "inside", "above", "outside"])
def test_links_are_not_replaced_by_copies(folder, tmp_path, place):
    """DVC would put a copy in a link's place, which no longer follows the file that is renewed."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "batches").mkdir(parents=True)
    (elsewhere / "batches" / "a.csv").write_text("x\n1\n")
    data = folder / "data"
    sources = {
        "file": data / "one.csv",
        "folder": data / "linked",
        "inside": data / "batches",
        "above": folder / "far" / "batches",
        "outside": elsewhere / "batches",
    }
    (data / "one.csv").symlink_to(data / "batches" / "a.csv")
    (data / "linked").symlink_to(data / "batches")
    (data / "batches" / "l.csv").symlink_to(elsewhere / "batches" / "a.csv")
    (folder / "far").symlink_to(elsewhere)
    words = "is a link to" if place in ("file", "folder", "inside") else "not inside the project"
    with pytest.raises(ConfigurationError, match=words):
        push(folder, sources[place], str(tmp_path / "remote"))
    assert (data / "one.csv").is_symlink()
    assert (data / "batches" / "l.csv").is_symlink()
    assert not (folder / ".dvc").exists()


def test_a_version_is_fetched_from_a_remote_beside_the_project(folder, tmp_path, monkeypatch):
    """DVC writes a local remote's place as seen from .dvc; fetched is into another folder."""
    calls = []
    monkeypatch.setattr(dvc, "_dvc", lambda *call: calls.append(call))
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../store 100%\n"
        "['remote \"other\"']\n    url = s3://bucket/a%20b\n[cache]\n    dir = ../../cache\n"
    )
    version = SourceVersion(name="batches", md5=MD5, unchanged=True)
    target = tmp_path / "scratch"
    assert fetch(folder, version, target) == target / "batches"
    written = (target / ".dvc" / "config").read_text().splitlines()
    assert f"url = {tmp_path}/store 100%" in written
    assert f"dir = {tmp_path}/cache" in written
    assert "url = s3://bucket/a%20b" in written
    assert calls == [(target, "pull", "--quiet", "batches.dvc")]


@pytest.mark.slow
def test_changed_files_are_not_overwritten(folder, tmp_path):
    """What is in the working copy alone is not lost by a pull, and a push says why it fails."""
    batches = folder / "data" / "batches"
    push(folder, batches, str(tmp_path / "remote"))
    (batches / "a.csv").write_text("x\n99\n")
    with pytest.raises(ConfigurationError, match=r"dvc pull failed"):
        pull(folder, batches)
    assert (batches / "a.csv").read_text() == "x\n99\n"
    # Nor taken where git would never see what names the version: the error says so in DVC's words.
    (folder / ".gitignore").write_text("data/*\n")
    with pytest.raises(ConfigurationError, match=r"dvc add failed.*batches\.dvc' is git-ignored"):
        push(folder, batches, None)


def test_errors_say_what_to_do(folder, monkeypatch):
    """No source, no pointer, no remote, a damaged pointer, no DVC."""
    batches = folder / "data" / "batches"
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        push(folder, folder / "none.csv", None)
    with pytest.raises(ConfigurationError, match=r"batches\.dvc does not exist.*make data-push"):
        pull(folder, batches)
    (folder / ".dvc").mkdir()
    with pytest.raises(ConfigurationError, match=r"no remote.*data_remote"):
        push(folder, batches, None)
    batches.with_name("batches.dvc").write_text("outs: []")
    with pytest.raises(DataError, match=r"batches\.dvc is not readable"):
        source_version(batches)
    monkeypatch.setattr(dvc, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"DVC is not installed.*pip install -r req"):
        push(folder, batches, "s3://bucket/dvc")


@pytest.mark.slow
def test_an_unreachable_remote_is_one_error(folder, tmp_path):
    """The error repeats DVC's message and says what to check."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(ConfigurationError, match=r"dvc push failed: .*data_remote"):
        push(folder, folder / "data" / "batches", str(blocked / "remote"))


@pytest.mark.slow
def test_a_run_records_and_reproduces_the_version_it_read(project, tmp_path):
    """The hash is in manifest and tags; when bronze is gone and the source changed, DVC has it."""
    source = project.path / "data" / "source" / "iris.csv"
    subprocess.run(["git", "init", "-q", str(project.path)], check=True)
    push(project.path, source, str(tmp_path / "remote"))
    manifest = project.run(training__n_trials=1)
    version = manifest.sources["source"]
    assert version == source_version(source)

    from mlflow import MlflowClient

    tags = MlflowClient().get_run(manifest.mlflow_run_id).data.tags
    assert tags["dvc.source"] == version.md5

    text = source.read_text()
    source.write_text("\n".join(text.splitlines()[:100]) + "\n")
    done = project.command("reproduce", manifest.mlflow_run_id)
    assert done.exit_code == 0, done.output  # bronze is still there
    raw = project.path / manifest.datasets["raw_data"].path
    raw.unlink()
    done = project.command("reproduce", manifest.mlflow_run_id)
    assert done.exit_code == 0, done.output
    assert "identical" in done.output
    assert len(source.read_text().splitlines()) == 100

    changed = project.run(training__n_trials=1)
    assert not changed.sources["source"].unchanged
    (project.path / changed.datasets["raw_data"].path).unlink()
    done = project.command("reproduce", changed.mlflow_run_id)
    assert done.exit_code == 1
    assert "no version holds what the run read" in " ".join(done.output.split())


@pytest.mark.slow
def test_the_remote_may_be_on_s3(folder, tmp_path, s3_environment, services):
    """With the usual AWS variables, a version is fetched from S3 after the cache is removed."""
    batches = folder / "data" / "batches"
    push(folder, batches, f"s3://{services.bucket}/{tmp_path.name}/dvc")
    version = source_version(batches)
    shutil.rmtree(folder / ".dvc" / "cache")
    found = fetch(folder, version, tmp_path / "scratch")
    assert (found / "a.csv").read_text() == "x\n2\n"


def test_a_pipe_in_the_source_is_named_and_not_waited_for(tmp_path):
    """DVC itself would wait for ever; nothing is made of the folder then."""
    no_files(tmp_path)
    with pytest.raises(DataError, match=r"is a (pipe|device|socket), not a file|the link"):
        dvc.push(tmp_path, tmp_path, "elsewhere")
    assert not (tmp_path / ".dvc").exists()


def test_what_cannot_be_hashed_is_not_as_it_was(tmp_path, monkeypatch):
    """A run whose source has a file without rights records that, and goes on."""
    (tmp_path / "source.dvc").write_text(f"outs: [{{md5: {MD5}}}]", encoding="utf-8")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.csv").touch()
    monkeypatch.setattr(dvc, "_md5", Mock(side_effect=PermissionError(13, "Permission denied")))
    version = dvc.source_version(tmp_path / "source")
    assert version is not None
    assert (version.md5, version.unchanged) == (MD5, False)


@pytest.mark.parametrize("md5", ["0123.dir", "../../elsewhere", "", "null"])
def test_a_pointer_that_names_no_hash_is_refused(tmp_path, md5):
    """What a .dvc file names is a hash, and nothing else reaches a path."""
    (tmp_path / "source.dvc").write_text(f"outs: [{{md5: '{md5}'}}]", encoding="utf-8")
    with pytest.raises(DataError, match=r"source\.dvc is not readable as a DVC pointer"):
        source_version(tmp_path / "source")
