"""Validates every example of the API's description against its schema."""

import json, sys

import jsonschema_rs

document = json.load(open(sys.argv[1]))
valid, wrong = 0, []
refusals = document["components"]["responses"]
for path, operations in document["paths"].items():
    for method, operation in operations.items():
        contents = [operation.get("requestBody", {}).get("content", {})]
        answers = [refusals[answer["$ref"].rsplit("/", 1)[1]] if "$ref" in answer else answer for answer in operation["responses"].values()]
        contents += [answer.get("content", {}) for answer in answers]
        for content in contents:
            for kind, media in content.items():
                if "example" not in media:
                    continue
                schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"], **media["schema"]}
                errors = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(media["example"])]
                if errors:
                    wrong.append(f"{method} {path} {kind}: {errors[:2]}")
                else:
                    valid += 1
print(json.dumps({"valid": valid, "wrong": wrong}))
