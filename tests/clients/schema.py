"""Holds TOML files against a JSON Schema.

usage: schema.py SCHEMA FILE…    prints `good`, or what is wrong, a line for each file
"""

import json
import sys
import tomllib

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    with open(path, "rb") as file:
        error = jsonschema.exceptions.best_match(validator.iter_errors(tomllib.load(file)))
    print("good" if error is None else error.message.replace("\n", " "))
