import json
import os
from openai import InvalidWebhookSignatureError, OpenAI

client = OpenAI()
got = json.loads(os.environ["DELIVERY"])
event = client.webhooks.unwrap(got["body"], got["headers"])
print(json.dumps({"type": event.type, "id": event.id, "response": event.data.id}), flush=True)
try:
    client.webhooks.unwrap(got["body"] + " ", got["headers"])
except InvalidWebhookSignatureError:
    print(json.dumps({"changed": "refused"}), flush=True)
