import json
from openai import OpenAI

client = OpenAI(max_retries=0)


def say(**line):
    print(json.dumps(line), flush=True)


blocking = client.responses.create(model="scripted", input="hi")
say(status=blocking.status, text=blocking.output_text, tokens=blocking.usage.total_tokens)

deltas, types, last = [], [], None
with client.responses.stream(model="scripted", input="hi") as stream:
    for event in stream:
        types.append(event.type)
        if event.type == "response.output_text.delta":
            deltas.append(event.delta)
    last = stream.get_final_response()
say(id=last.id, deltas=deltas, types=types, status=last.status)

chained = client.responses.create(model="scripted", input="and now?", previous_response_id=last.id)
say(text=chained.output_text, messages=len(chained.output))
