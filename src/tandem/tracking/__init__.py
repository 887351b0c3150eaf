"""The record of a run, and MLflow: the store, runs, logged models, history, the dashboard."""
