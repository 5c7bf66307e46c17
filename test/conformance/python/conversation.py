import json
from openai import OpenAI

client = OpenAI(max_retries=0)


def say(**line):
    print(json.dumps(line), flush=True)


conversation = client.conversations.create(metadata={"of": "a test"})
say(metadata=client.conversations.retrieve(conversation.id).metadata)

for words in ("one", "two", "three"):
    client.responses.create(model="scripted", input=words, conversation=conversation.id)
items = client.conversations.items.list(conversation.id, limit=2, order="asc")
say(roles=[item.role for item in items])
