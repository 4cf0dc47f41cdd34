"""Tests of the workflows' scripts, run as GitHub runs them; kedro and make are replaced."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_basics.commands.ct import ExitCode
from tests.support.project import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
SHELLS = {
    None: ["bash", "-e"],  # GitHub's default
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
}


def workflow(name: str) -> dict[str, Any]:
    """What a workflow's file says."""
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return found


def shell_of(flow: dict[str, Any], job: dict[str, Any], step: dict[str, Any]) -> str | None:
    """The shell of a step: its own, the job's or the workflow's."""
    settings = [owner.get("defaults", {}).get("run", {}) for owner in (job, flow)]
    shells = (place.get("shell") for place in (step, *settings))
    return next((shell for shell in shells if shell), None)


@dataclass
class Job:
    """The job of continuous training in a folder of its own, where its steps run."""

    folder: Path

    @property
    def summary(self) -> Path:
        """What GitHub shows on the run's page."""
        return self.folder / "summary"

    @property
    def output(self) -> Path:
        """What GitHub hands on to other steps."""
        return self.folder / "output"

    def program(self, path: str, script: str) -> None:
        """Put a fake program on the PATH."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        file.chmod(0o755)

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the steps up to the first that fails; what the repository does not set is empty."""
        flow = workflow("continuous-training.yml")
        job = flow["jobs"]["ct"]
        files = {"GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_OUTPUT": str(self.output)}
        place = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        for step in (step for step in job["steps"] if "run" in step):
            script = self.folder / "step.sh"
            script.write_text(step["run"], encoding="utf-8")
            given = {"CODE": variables.get("CODE", "")}  # of the fake kedro
            given |= {name: variables.get(name, "") for name in step.get("env", {})}
            given |= {"CT_ENV": "s3"} if "CT_ENV" in given else {}
            ended = subprocess.run(
                [*SHELLS[shell_of(flow, job, step)], str(script)],
                cwd=self.folder,
                env={**given, **files, **place},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            if ended.returncode != 0:
                break
        return ended


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with a ready environment, whose kedro prints how it was called."""
    made = Job(tmp_path)
    made.program("bin/make", '[ "$*" = venv ]')
    made.program(".venv/bin/kedro", 'echo "called with $*"; echo "and an error" >&2; exit $CODE')
    made.summary.touch()
    made.output.touch()
    return made


#: How kedro ct ends, how the step ends, and the annotation beside the output.
ENDS = [
    (ExitCode.NOTHING_TO_DO, 0, "::notice::Nothing to do"),
    (ExitCode.PROMOTED, 0, "::notice::Retrained and promoted"),
    (ExitCode.KEPT, 0, "::warning::Retrained, and the champion is kept"),
    (ExitCode.WOULD_RETRAIN, 0, "::warning::A run would retrain"),
    (1, 1, None),  # an error
    (2, 2, None),  # a wrong option
    (137, 137, None),  # killed
]


@pytest.mark.parametrize(("code", "ends", "annotation"), ENDS)
def test_the_job_ends_as_kedro_ct_does(
    job: Job, code: int, ends: int, annotation: str | None
) -> None:
    """An error is an error; each other outcome has its own words."""
    ended = job.run(CODE=str(int(code)))
    assert ended.returncode == ends
    assert re.findall("^::.*", ended.stdout, re.MULTILINE) == ([annotation] if annotation else [])
    said = "called with ct --env s3\nand an error\n"
    assert ended.stdout.startswith(said)
    assert job.summary.read_text() == f"```\n{said}```\n"
    assert job.output.read_text() == ""


def test_each_outcome_of_kedro_ct_is_known() -> None:
    """Each exit code of kedro ct has a case in the workflow."""
    assert {code for code, ends, _ in ENDS if ends == 0} == set(ExitCode)


def test_a_dry_run_is_passed_on(job: Job) -> None:
    """A dry run is passed on as an option."""
    job.run(CODE="0", DRY_RUN="--dry-run")
    assert "called with ct --env s3 --dry-run\n" in job.summary.read_text()


def test_no_environment_no_training(job: Job) -> None:
    """If packages cannot be installed, the job ends."""
    job.program("bin/make", "exit 2")
    assert job.run(CODE="0").returncode == 2
    assert job.summary.read_text() == ""


def test_what_the_repository_does_not_set_is_not_set_for_kedro(job: Job) -> None:
    """An empty endpoint or region would be taken for one; what is set arrives."""
    job.program(".venv/bin/kedro", "env")
    job.run(AWS_ACCESS_KEY_ID="AKIA", MLOPS_BUCKET="example", MLFLOW_TRACKING_URI="https://here")
    found = dict(line.split("=", 1) for line in job.summary.read_text().splitlines()[1:-1])
    own = {name: text for name, text in found.items() if re.match("AWS_|MLFLOW_|MLOPS_", name)}
    assert own == {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "MLOPS_BUCKET": "example",
        "MLFLOW_TRACKING_URI": "https://here",
    }


def keyed_step() -> dict[str, Any]:
    """The step of continuous training that has the keys."""
    steps = workflow("continuous-training.yml")["jobs"]["ct"]["steps"]
    [found] = [step for step in steps if "env" in step]
    return found


def test_keys_are_where_they_are_needed_alone() -> None:
    """No other step, and no action or package that it runs, sees a secret."""
    for file in WORKFLOWS.glob("*.yml"):
        flow = workflow(file.name)
        for owner in (flow, *flow["jobs"].values()):
            assert "secrets." not in str(owner.get("env", ""))
        for step in (step for job in flow["jobs"].values() for step in job["steps"]):
            outside = {key: text for key, text in step.items() if key != "env"}
            assert "secrets." not in str(outside)
    assert keyed_step()["name"] == "kedro ct"


def test_both_locks_are_audited() -> None:
    """Each change, and each week; with the hashes that are installed."""
    flow = workflow("ci.yml")
    step = flow["jobs"]["audit"]["steps"][-1]
    assert step["uses"].startswith("pypa/gh-action-pip-audit@")
    assert step["with"]["inputs"].split() == ["requirements.txt", "requirements-scorer.txt"]
    assert step["with"]["require-hashes"] is True
    assert "schedule" in flow[True]  # YAML's reading of `on`


def test_the_job_has_what_the_configuration_asks_for() -> None:
    """Each variable by its own name; AWS's endpoint is the client's own matter (docs/aws.md)."""
    given = keyed_step()["env"]
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "conf" / "s3").glob("*.yml")]
    needed = {name for text in texts for name in re.findall(r"\$\{env:\s*(\w+)\s*\}", text)}
    assert needed >= {"MLOPS_BUCKET", "MLFLOW_TRACKING_URI"}
    for name in needed:
        assert re.fullmatch(rf"\$\{{\{{ (vars|secrets)\.{name} \}}\}}", given[name])
    assert given["AWS_ENDPOINT_URL"] == "${{ vars.AWS_ENDPOINT_URL }}"


@pytest.mark.parametrize("file", sorted(WORKFLOWS.glob("*.yml")), ids=lambda file: file.name)
def test_a_pipe_needs_a_shell_that_sees_its_first_part_fail(file: Path) -> None:
    """Every workflow with a pipe sets a shell with pipefail."""
    flow = workflow(file.name)
    for name, job in flow["jobs"].items():
        for step in job["steps"]:
            if re.search(r"[^|]\|[^|]", step.get("run", "")):
                assert shell_of(flow, job, step) == "bash", f"{file.name}, {name}: {step}"
