"""The catalogue: published incentive schedules, one YAML program file each, under `programs/`."""
