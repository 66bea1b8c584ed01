"""What a program designer writes: program files, read with positions and checked as a whole."""

from cm_engine.program.canonical import canonical, digest
from cm_engine.program.loading import load_program, parse_program
from cm_engine.program.models import Program
from cm_engine.program.schema import json_schema

__all__ = ["Program", "canonical", "digest", "json_schema", "load_program", "parse_program"]
