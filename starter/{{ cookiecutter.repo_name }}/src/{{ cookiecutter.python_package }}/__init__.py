"""{{ cookiecutter.project_name }}: what this project adds to mlops-basics."""
