"""Reads the answers of a double of the Responses API with OpenAI's own client and holds them against its types."""

import json
import sys

from openai import OpenAI
from openai.types.responses import Response

client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)


def final(model: str) -> Response:
    with client.responses.stream(model=model, input="Hello") as stream:
        for event in stream:
            type(event).model_validate(event.to_dict(), strict=True)
        return stream.get_final_response()


read = {}
whole = client.responses.create(model="text", input="Hello")
Response.model_validate(whole.to_dict(), strict=True)
read["text"] = [whole.output_text, whole.usage.total_tokens]
refusal = client.responses.create(model="refusal", input="Hello")
Response.model_validate(refusal.to_dict(), strict=True)
read["refusal"] = [part.refusal for item in refusal.output for part in item.content]
streamed = final("text-stream")
read["text-stream"] = [streamed.output_text, [item.type for item in streamed.output]]
read["call-stream"] = [[item.name, item.arguments] for item in final("call-stream").output]

print(json.dumps(read))
