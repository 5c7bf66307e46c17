import json
from openai import OpenAI

client = OpenAI(max_retries=0)


def say(**line):
    print(json.dumps(line), flush=True)


seen = []
stream = client.responses.create(model="scripted", input="hi", stream=True)
for event in stream:
    seen.append(event.sequence_number)
    if event.type == "response.created":
        response_id = event.response.id
    if event.type == "response.output_text.delta":
        break
stream.close()
say(left_after=seen[-1])

deltas = []
for event in client.responses.retrieve(response_id, stream=True, starting_after=seen[-1]):
    seen.append(event.sequence_number)
    if event.type == "response.output_text.delta":
        deltas.append(event.delta)
say(deltas=deltas, dense=seen == list(range(len(seen))), status=event.response.status)
