"""The catalogue: published incentive schedules under `programs/`, sets of endpoints under `endpoints/`, one YAML file each."""
