"""What a wheel holds beside what pyproject.toml says: the packages, and conf/ inside of them.

A project that is built on this package has that configuration below its own.
"""

from setuptools import find_packages, setup

#: Of conf/: what others may use, by name, since folders beside them are of one project alone.
ENVIRONMENTS = ("base", "breast_cancer", "dask", "demo", "diabetes", "flights", "s3", "scorer")

setup(
    packages=[*find_packages("src"), "mlops_basics.conf"],
    package_dir={"": "src", "mlops_basics.conf": "conf"},
    package_data={
        "mlops_basics.conf": [f"{environment}/*.yml" for environment in ENVIRONMENTS],
        "mlops_basics.reporting": ["templates/*"],
    },
)
