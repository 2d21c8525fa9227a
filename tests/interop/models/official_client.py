"""Reads the answers of a double with OpenAI's own client, holds them against its types and prints what it read."""

import json
import sys

from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)


def ask(model: str, stream: bool):
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hello"}], stream=stream
    )


def chunks(model: str) -> list[ChatCompletionChunk]:
    return [ChatCompletionChunk.model_validate(chunk.to_dict(), strict=True) for chunk in ask(model, True)]


read = {}
whole = ChatCompletion.model_validate(ask("text", False).to_dict(), strict=True)
read["text"] = [whole.choices[0].message.content, whole.usage.total_tokens]

refusal = ChatCompletion.model_validate(ask("refusal", False).to_dict(), strict=True)
read["refusal"] = refusal.choices[0].message.refusal

pieces = chunks("text-stream")
text = "".join(choice.delta.content or "" for piece in pieces for choice in piece.choices)
read["text-stream"] = [text, pieces[-1].usage.total_tokens]

calls = {}
for piece in chunks("call-stream"):
    for choice in piece.choices:
        for call in choice.delta.tool_calls or []:
            name, arguments = calls.get(call.index, ("", ""))
            calls[call.index] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
read["call-stream"] = [list(calls[index]) for index in sorted(calls)]

print(json.dumps(read))
