"""What a run leaves: versions, its MLflow run, the code and the data that it used."""
