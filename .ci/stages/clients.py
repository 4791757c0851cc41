"""Drives a running `sluice dev` with the aws command line and boto3, and checks
that real handlers consumed what was sent. One argument: the endpoint."""

import json
import subprocess
import sys
import time

import boto3

endpoint = sys.argv[1]
options = dict(endpoint_url=endpoint, region_name="us-east-1")
sqs, sns, ddb, events = (boto3.client(s, **options) for s in ("sqs", "sns", "dynamodb", "events"))


def aws(*args):
    out = subprocess.run(["aws", "--endpoint-url", endpoint, "--output", "json", *args], check=True, capture_output=True, text=True).stdout
    return json.loads(out) if out.strip() else None


def ledger():
    items = aws("dynamodb", "scan", "--table-name", "Shop-Ledger")["Items"]
    return {i["consumer"]["S"] + " " + i["effect"]["S"]: int(i["runs"]["N"]) for i in items}


def until(*effects):
    for _ in range(100):
        seen = ledger()
        if all(seen.get(e) == 1 for e in effects):
            return
        time.sleep(0.2)
    sys.exit(f"these effects did not come, or came twice: {[e for e in effects if seen.get(e) != 1]}\nledger: {seen}")


def order(order_id):
    return json.dumps({"order_id": order_id, "email": "a@example.com", "total": {"minor": 5, "currency": "EUR"}, "placed_at": "2026-01-02T03:04:05Z"})


queue = aws("sqs", "get-queue-url", "--queue-name", "Shop-ChargePaymentQueue")["QueueUrl"]
attribute = {"event-type": {"DataType": "String", "StringValue": "orders.placed.v2"}}
aws("sqs", "send-message", "--queue-url", queue, "--message-body", order("cli-1"), "--message-attributes", json.dumps(attribute))
until("charge-payment charge pay-cli-1", "record-sale sale pay-cli-1")
print("aws sqs send-message > charge-payment > record-sale: consumed once")

sqs.send_message(QueueUrl=queue, MessageBody=order("boto-1"), MessageAttributes=attribute)
until("charge-payment charge pay-boto-1", "record-sale sale pay-boto-1")
print("boto3 sqs.send_message: consumed once")

topic = sns.list_topics()["Topics"][0]["TopicArn"]
sns.publish(TopicArn=topic, Message=order("boto-2"), MessageAttributes=attribute)
until("charge-payment charge pay-boto-2", "send-receipt receipt boto-2")
print("boto3 sns.publish: consumed once by both subscribers")

bus = next(b["Name"] for b in events.list_event_buses()["EventBuses"] if b["Name"] != "default")
refund = {"refund_id": "r-9", "payment_id": "pay-boto-1", "minor": 5, "currency": "EUR", "requested_at": "2026-01-02T03:04:05Z"}
failed = events.put_events(Entries=[{"EventBusName": bus, "Source": "ci", "DetailType": "payments.refund_requested.v1", "Detail": json.dumps(refund)}])["FailedEntryCount"]
assert failed == 0, failed
until("charge-payment refund r-9")
print("boto3 events.put_events: consumed once")

aws("sqs", "send-message", "--queue-url", queue, "--message-body", "{no json")
for _ in range(100):
    dead = sqs.receive_message(QueueUrl=queue.replace("ChargePaymentQueue", "ChargePaymentDeadLetters"), MessageAttributeNames=["All"]).get("Messages", [])
    if dead:
        break
    time.sleep(0.2)
assert dead and dead[0]["Body"] == "{no json", dead
print("poison:", dead[0]["MessageAttributes"]["sluice-reason"]["StringValue"])

# Powertools' own reader reads our records.
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer  # noqa: E402

layer = DynamoDBPersistenceLayer(table_name="Shop-IdempotencyTable", boto3_client=ddb)
record = layer._get_record("charge-payment#orders.placed#boto-2")  # the method that its conflict path uses
assert record.status == "COMPLETED" and not record.is_expired, record
assert record.expiry_timestamp > time.time() + 20 * 24 * 3600, record.expiry_timestamp
print("Powertools reads our record:", record.status)
