"""The function of the sample app: does what the request's `do` says. Beside it is `version.txt`."""

import json
import os
import time
from pathlib import Path
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")
version = int(Path(__file__).with_name("version.txt").read_text())
calls = 0


def handler(event: dict[str, Any], _: object) -> Any:
    """Answer a call of the API."""
    global calls
    calls += 1
    asked = json.loads(event["body"] or "{}")
    print("asked for", event["path"])
    match asked.get("do"):
        case "keep":
            dynamodb.put_item(TableName=os.environ["TABLE"], Item={"pk": {"S": asked["name"]}})
            s3.put_object(Bucket=os.environ["BUCKET"], Key=f"kept/{asked['name']}", Body=b"kept")
        case "fail":
            raise RuntimeError("as it was asked to")
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(60)
        case "import":
            __import__(asked["module"])
        case "mumble":
            return "no answer"
        case "overstep":
            dynamodb.scan(TableName=os.environ["TABLE"])
        case "overwrite":
            s3.put_object(Bucket=os.environ["BUCKET"], Key="elsewhere", Body=b"")
    answer = {"version": version, "calls": calls, "event": event}
    return {"statusCode": 200, "headers": {"X-Version": str(version)}, "body": json.dumps(answer)}
