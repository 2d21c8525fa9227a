"""A stand-in for three model APIs, for real agents without a key: it calls the server's `get_order` and then answers.

Speaks Anthropic Messages, OpenAI Responses and chat completions, and Gemini generateContent, streamed or not, as far as
the agents need it. Prints its port, then serves until it is ended. Nothing is checked here; the record of the run is.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARGS = {"id": 1042}


def wanted(names):
    """The tool to call among those offered, whatever the agent calls it."""
    fitting = [name for name in names if name.endswith("get_order")]
    return fitting[0] if fitting else None


def answer(result):
    return f"The shop says: {result}"


def anthropic(body):
    """The content blocks of the next message."""
    last = body["messages"][-1]["content"]
    blocks = last if isinstance(last, list) else []
    results = [block for block in blocks if block.get("type") == "tool_result"]
    if results:
        return [{"type": "text", "text": answer(json.dumps(results[-1].get("content")))}], "end_turn"
    name = wanted([tool.get("name", "") for tool in body.get("tools", [])])
    if name:
        return [{"type": "tool_use", "id": "toolu_1", "name": name, "input": ARGS}], "tool_use"
    return [{"type": "text", "text": "no tool"}], "end_turn"


def anthropic_events(body):
    content, stop = anthropic(body)
    usage = {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 5}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}
    if not body.get("stream"):
        return {**message, "content": content, "stop_reason": stop}
    events = [{"type": "message_start", "message": message}]
    for index, block in enumerate(content):
        text = block["type"] == "text"
        start = {"type": "text", "text": ""} if text else {**block, "input": {}}
        delta = ({"type": "text_delta", "text": block["text"]} if text
                 else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])})
        events += [{"type": "content_block_start", "index": index, "content_block": start},
                   {"type": "content_block_delta", "index": index, "delta": delta},
                   {"type": "content_block_stop", "index": index}]
    events += [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None},
                "usage": {"output_tokens": 20}}, {"type": "message_stop"}]
    return events


def responses_events(body):
    items = body["input"] if isinstance(body["input"], list) else []
    results = [item for item in items if item.get("type") == "function_call_output"]
    offered = []
    for tool in body.get("tools", []):
        offered.append((tool.get("name", ""), None))
        offered += [(inner.get("name", ""), tool.get("name")) for inner in tool.get("tools", [])]
    fitting = [pair for pair in offered if pair[0].endswith("get_order")]
    if results:
        text = answer(json.dumps(results[-1].get("output")))
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}]}
    elif fitting:
        name, space = fitting[0]
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "status": "completed",
                "arguments": json.dumps(ARGS)}
        if space:
            item["namespace"] = space
    else:
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "no tool", "annotations": []}]}
    usage = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 20,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 120}
    response = {"id": "resp_1", "object": "response", "status": "completed", "model": body["model"], "output": [item],
                "usage": usage}
    return [{"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response}]


def gemini(body):
    names = [f["name"] for tool in body.get("tools", []) for f in tool.get("functionDeclarations", [])]
    parts = body["contents"][-1].get("parts", [])
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    if results:
        part = {"text": answer(json.dumps(results[-1].get("response")))}
    elif wanted(names):
        part = {"functionCall": {"name": wanted(names), "args": ARGS}}
    else:
        part = {"text": "no tool"}
    return {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120},
            "modelVersion": "stand-in"}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_json(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_events(self, events, named):
        data = ""
        for event in events:
            data += (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"
        data = data.encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self):
        self.send_json({})

    def do_GET(self):
        self.send_json({"data": [], "models": [], "object": "list"})

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        body = json.loads(raw or b"{}")
        path = self.path.split("?")[0]
        print("POST", path, file=sys.stderr, flush=True)
        if path.endswith("/count_tokens") or path.endswith(":countTokens"):
            self.send_json({"input_tokens": 100, "totalTokens": 100})
        elif path.endswith("/messages"):
            events = anthropic_events(body)
            self.send_events(events, True) if isinstance(events, list) else self.send_json(events)
        elif path.endswith("/responses"):
            self.send_events(responses_events(body), True)
        elif path.endswith(":streamGenerateContent"):
            self.send_events([gemini(body)], False)
        elif path.endswith(":generateContent"):
            self.send_json(gemini(body))
        else:
            self.send_json({"error": {"message": "not known here"}}, 404)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    print(server.server_address[1], flush=True)
    server.serve_forever()
