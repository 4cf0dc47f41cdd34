"""The original command line: ``python src/main.py --model_name iris --num_instances 150``.

The same run as ``kedro run --params model_name=iris,num_instances=150``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Translate the arguments into those of ``kedro run``, and run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model_name", help="names the experiment and the artifacts' folder")
    parser.add_argument("--num_instances", type=int, help="rows to sample; default: all")
    parser.add_argument("--env", help="configuration environment, a folder of conf/")
    parser.add_argument("--pipeline", help="one pipeline instead of the whole loop")
    given = parser.parse_args(arguments)

    from kedro.framework.startup import bootstrap_project

    project = Path(__file__).resolve().parents[1]
    os.chdir(project)  # relative paths of the configuration start at the project
    bootstrap_project(project)
    from mlops_basics.cli import run

    params = {"model_name": given.model_name, "num_instances": given.num_instances}
    pairs = ",".join(f"{key}={value}" for key, value in params.items() if value is not None)
    options = {"--params": pairs, "--env": given.env, "--pipeline": given.pipeline}
    run.main([text for key, value in options.items() if value for text in (key, value)])


if __name__ == "__main__":
    main()
