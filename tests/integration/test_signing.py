"""Releases signed with ``kedro keygen``'s keys, from the first run to the last command."""

from __future__ import annotations

import pytest

from mlops_basics.errors import ReleaseError
from mlops_basics.production.signature import make_key_pair
from tests.support.small_table import ENV, production_of, set_up, weak

pytestmark = pytest.mark.slow


def test_a_release_is_signed_and_only_ours_is_used(project, tmp_path):
    """One key publishes, the public one alone scores; another's release is refused everywhere."""
    made = project.command("keygen")
    assert made.exit_code == 0, made.output
    public = made.output.split("verify_key: ")[1].strip()
    assert "signing_key: .secrets/signing_key.pem" in made.output
    assert "PRIVATE" not in made.output
    again = project.command("keygen")
    assert again.exit_code == 1
    assert "none is ever overwritten" in again.output

    own = {"signing_key": ".secrets/signing_key.pem", "verify_key": public}
    set_up(project, **own)
    project.run(env=ENV, **weak())
    store, _ = production_of(project)
    assert store.verify("1").version == "1"
    before = store.pointer()

    (project.path / ".secrets" / "signing_key.pem").unlink()
    project.run("batch_inference", env=ENV)

    _, _, theirs = make_key_pair(tmp_path / "theirs")
    options = (project.path / "conf" / ENV / "globals.yml").read_text(encoding="utf-8")
    changed = options.replace(public, theirs).replace("signing_key: .secrets", "# .secrets")
    (project.path / "conf" / ENV / "globals.yml").write_text(changed, encoding="utf-8")
    with pytest.raises(Exception, match="somebody else signed it") as refused:
        project.run("batch_inference", env=ENV)
    chain, seen = [], refused.value
    while seen is not None:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    assert any(isinstance(error, ReleaseError) for error in chain)
    served = project.command("serve", "--env", ENV)
    assert served.exit_code == 1
    assert "somebody else signed it" in served.output
    assert store.pointer() == before
