"""Reads the answers of doubles with the official clients of Anthropic and Google, holds them against their types and
prints what they read."""

import json
import sys

from anthropic import Anthropic
from anthropic.types import Message
from google import genai
from google.genai import types

base, key = sys.argv[1], sys.argv[2]
read = {}

claude = Anthropic(base_url=base, api_key=key, max_retries=0)
question = {"max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def blocks(message: Message) -> list:
    Message.model_validate(message.to_dict(), strict=True)
    texts = {"text": "text", "thinking": "thinking", "redacted_thinking": "data"}
    return [
        getattr(block, texts[block.type]) if block.type in texts else [block.name, block.input]
        for block in message.content
    ]


for model in ("text", "calls", "refusal"):
    message = claude.messages.create(model=model, **question)
    read[f"anthropic {model}"] = [message.stop_reason, blocks(message)]
for model in ("text-stream", "call-stream"):
    with claude.messages.stream(model=model, **question) as stream:
        message = stream.get_final_message()
    read[f"anthropic {model}"] = [message.stop_reason, message.usage.output_tokens, blocks(message)]

gemini = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base))


def parts(content: types.Content | None) -> list:
    return [
        [part.function_call.name, part.function_call.args] if part.function_call else part.text
        for part in (content.parts or [] if content else [])
    ]


for model in ("text", "calls", "blocked", "unsafe"):
    answer = gemini.models.generate_content(model=model, contents="Hello")
    types.GenerateContentResponse.model_validate(answer.model_dump(exclude_none=True))
    candidate = answer.candidates[0] if answer.candidates else None
    stop = candidate.finish_reason if candidate else answer.prompt_feedback.block_reason
    read[f"gemini {model}"] = [stop.value, parts(candidate.content if candidate else None)]
for model in ("text-stream", "call-stream"):
    seen = []
    for piece in gemini.models.generate_content_stream(model=model, contents="Hello"):
        seen += parts(piece.candidates[0].content)
    read[f"gemini {model}"] = [piece.candidates[0].finish_reason.value, seen]

print(json.dumps(read))
